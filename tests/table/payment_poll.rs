//! payment-poll: the events of the provider that no webhook has brought.

use crate::{
    application::{Lines, context_at},
    is_unavailable,
    order_support::{confirm, order_id, payment, placed, stocked},
    provider::{EVENTS, PAGE, Provider},
};
use domain::{
    Error, Timestamp,
    order::PlacedOrder,
    payment::{DisputeStatus, PaymentId},
};
use function::Polled;
use serde::de::IgnoredAny;
use std::sync::Arc;
use table::keys;
use tests::{
    Fault, World,
    samples::{later, now},
};

#[expect(dead_code, reason = "the test plays Lambda and needs no main")]
#[path = "../../functions/payment-poll/src/main.rs"]
mod function;

/// The minimum age of the events that are read, in seconds.
const OLD_ENOUGH: u64 = 600;

const DISPUTED: &str = "charge.dispute.created";

struct Shop {
    world: World,
    provider: Provider,
    order: PlacedOrder,
}

impl Shop {
    /// With a confirmed and captured order, whose payment is disputed.
    async fn open() -> Self {
        let world = World::new();
        stocked(&world, 1, 9).await;
        let order = confirm(&world, &placed(1, &[(1, 2)]), &payment(1)).await;
        world.table.settle_paid(order_id(1)).await.unwrap();
        let provider = Provider::start(world.wire.clone()).await;
        provider.capture(&payment(1));
        provider.name_order(order.customer_id, order_id(1));
        provider.dispute("needs_response");
        Self { world, provider, order }
    }

    /// Lists an event about the order's payment, which was created at this time.
    fn list(&self, id: &str, created: Timestamp) {
        self.provider.list_event(id, DISPUTED, &payment(1), created);
    }

    async fn poll(&self, now: Timestamp) -> Result<Polled, Error> {
        let settings = [
            ("PAYMENTS_SECRET_ARN", "arn"),
            ("PAYMENTS_URL", self.provider.url.as_str()),
            ("SWEEP_AFTER_SECONDS", "600"),
        ];
        let context = context_at(&self.world, &settings, now, &Lines::default());
        function::poll(&function::App::new(context).unwrap(), IgnoredAny).await
    }

    async fn dispute(&self) -> Option<DisputeStatus> {
        self.world.table.order(self.order.customer_id, order_id(1)).await.unwrap().order.dispute
    }

    /// The number of requests for events since the last call.
    fn pages(&self) -> usize {
        self.world.wire.take_sent().iter().filter(|sent| sent.operation == EVENTS).count()
    }
}

fn polled(listed: usize, processed: usize) -> Polled {
    Polled { listed, processed }
}

#[tokio::test]
async fn an_event_that_no_webhook_has_brought_is_processed_once_it_is_old_enough() {
    let shop = Shop::open().await;
    shop.list("evt_1", now());
    assert_eq!(shop.poll(later(OLD_ENOUGH)).await.unwrap(), polled(0, 0));
    assert_eq!(shop.dispute().await, None);
    assert_eq!(shop.poll(later(OLD_ENOUGH + 1)).await.unwrap(), polled(1, 1));
    assert_eq!(shop.dispute().await, Some(DisputeStatus::Open));
    assert_eq!(shop.poll(later(OLD_ENOUGH + 900)).await.unwrap(), polled(0, 0));
}

/// The stack is new, or there never was an endpoint.
#[tokio::test]
async fn the_first_poll_reads_what_the_provider_still_has() {
    let shop = Shop::open().await;
    shop.list("evt_1", later(0));
    assert_eq!(shop.poll(later(OLD_ENOUGH + 29 * 86_400)).await.unwrap(), polled(1, 1));
    assert_eq!(shop.dispute().await, Some(DisputeStatus::Open));
}

#[tokio::test]
async fn an_event_that_the_webhook_has_processed_is_passed_over() {
    let shop = Shop::open().await;
    shop.world.table.record_processed("evt_1", now()).await.unwrap();
    shop.list("evt_1", now());
    assert_eq!(shop.poll(later(700)).await.unwrap(), polled(1, 0));
    assert_eq!(shop.dispute().await, None);
}

/// A poll ends at any request to the table: the next one goes on, and comes to the same end.
#[tokio::test]
async fn a_poll_that_stops_anywhere_loses_no_event_and_reads_no_page_again_that_is_done() {
    for (operation, after) in [("GetItem", 9), ("UpdateItem", 1), ("PutItem", 7)] {
        for survived in 0..after {
            let shop = Shop::open().await;
            let count = 2 * PAGE + 1;
            for number in 0..count {
                shop.list(&format!("evt_{number}"), later(number as u64));
            }
            shop.world.wire.next(operation, vec![Fault::Altered(Arc::new(|_| ())); survived]);
            shop.world.wire.always(operation, Fault::Failing);
            let stopped = shop.poll(later(700)).await;
            shop.world.wire.heal();
            let before = shop.pages();
            let Polled { listed, .. } = shop.poll(later(700)).await.unwrap();
            assert!(is_unavailable(&stopped) || listed == 0, "{operation} {survived}: {stopped:?}");
            assert!(before + shop.pages() <= 7, "{operation} {survived}");
            for number in 0..count {
                let is_processed = shop.world.table.is_processed(&format!("evt_{number}"), later(700)).await;
                assert_eq!(is_processed, Ok(true), "{operation} {survived}: evt_{number}");
            }
            assert_eq!(shop.poll(later(800)).await.unwrap(), polled(0, 0));
            assert_eq!(shop.dispute().await, Some(DisputeStatus::Open));
        }
    }
}

#[tokio::test]
async fn an_event_that_cannot_be_processed_hides_no_other_and_is_tried_again() {
    let shop = Shop::open().await;
    let order = keys::order(shop.order.customer_id, order_id(1));
    let stored = shop.world.item(&order);
    shop.world.put(&order, &serde_json::json!({}));
    shop.list("evt_1", now());
    let other = PaymentId::new("not_a-payment");
    for number in 2..5 {
        shop.provider.list_event(&format!("evt_{number}"), "customer.created", &other, later(number));
    }
    let failed = shop.poll(later(700)).await;
    assert!(matches!(failed, Err(Error::Internal { .. })), "{failed:?}");
    assert_eq!(shop.pages(), 2);
    shop.list("evt_5", later(701));
    assert!(shop.poll(later(1400)).await.is_err());
    assert_eq!(shop.pages(), 2, "the page that is not done, and the next period");
    shop.world.put(&order, &stored);
    assert_eq!(shop.poll(later(1400)).await.unwrap(), polled(3, 2));
    assert_eq!(shop.dispute().await, Some(DisputeStatus::Open));
}

#[tokio::test]
async fn without_a_key_nothing_is_asked() {
    let shop = Shop::open().await;
    shop.world.wire.keep_secret("unset");
    shop.list("evt_1", now());
    shop.world.wire.take_sent();
    assert_eq!((shop.poll(later(700)).await.unwrap(), shop.pages()), (polled(0, 0), 0));
}
