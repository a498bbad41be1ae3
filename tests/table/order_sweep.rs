//! order-sweep: what it settles, what it passes over, and what it leaves to a person.

use crate::{
    application::{Lines, context_at},
    order_support::{
        CUSTOMER, begin, confirm, entry, in_status, order_id, payment, placed, status, stock, stocked,
    },
    provider::Provider,
};
use app::sweep::Swept;
use domain::{
    Timestamp, attempt::MOST_ATTEMPTS, id::OrderId, order::OrderStatus, rejection::RejectionReason,
};
use serde_json::{Value, json};
use table::{Epoch, keys};
use tests::{
    World,
    samples::{later, user_id},
};

#[expect(dead_code, reason = "the test plays Lambda and needs no main")]
#[path = "../../functions/order-sweep/src/main.rs"]
mod function;

struct Shop {
    world: World,
    provider: Provider,
    app: function::App,
    lines: Lines,
}

impl Shop {
    async fn open() -> Self {
        let world = World::new();
        stocked(&world, 1, 9).await;
        let provider = Provider::start(world.wire.clone()).await;
        let lines = Lines::default();
        // After all orders of these tests were placed.
        let app = app_at(later(100_000), &world, &provider, &lines);
        Self { world, provider, app, lines }
    }

    /// Lets this number of seconds pass.
    fn pass(&mut self, seconds: u64) {
        let now = self.app.now().plus_seconds(seconds);
        self.app = app_at(now, &self.world, &self.provider, &self.lines);
    }

    /// The incidents that were reported since the last call, with their orders.
    fn incidents(&self) -> Vec<(String, String)> {
        let lines = std::mem::take(&mut *self.lines.lock().unwrap());
        let lines = lines.iter().map(|line| serde_json::from_str::<Value>(line).unwrap());
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        lines
            .filter(|line| !line["incident"].is_null())
            .map(|line| (text(&line["incident"]), text(&line["orderId"])))
            .collect()
    }

    /// Sweeps, and checks the metric of the orders that are left unsettled: there is none if all are settled.
    async fn sweep(&self, retry: &[OrderId]) -> Swept {
        let input = serde_json::from_value(json!({"retry": retry})).unwrap();
        let before = self.lines.lock().unwrap().len();
        let swept = function::sweep(&self.app, input).await.unwrap();
        let lines = self.lines.lock().unwrap();
        let written = lines[before..].iter().map(|line| serde_json::from_str::<Value>(line).unwrap());
        let reported: Vec<_> = written.filter_map(|line| line["UnsettledOrders"].as_u64()).collect();
        let unsettled = (swept.found - swept.settled) as u64;
        assert_eq!(reported, if unsettled > 0 { vec![unsettled] } else { vec![] });
        swept
    }

    /// An entry without its order, which no sweep can settle.
    fn put_lost(&self, number: u32, attributes: &Value) {
        let mut entry = json!({"customerId": {"S": user_id(CUSTOMER).to_string()}, "epoch": {"N": "0"}});
        entry.as_object_mut().unwrap().extend(attributes.as_object().unwrap().clone());
        self.world.put(&keys::unsettled(order_id(number)), &entry);
    }
}

/// The function at this time.
fn app_at(now: Timestamp, world: &World, provider: &Provider, lines: &Lines) -> function::App {
    let machine = "arn:aws:states:eu-central-1:123456789012:stateMachine:order";
    let settings = [
        ("PAYMENTS_SECRET_ARN", "arn"),
        ("PAYMENTS_URL", provider.url.as_str()),
        ("ORDER_PLACE_MACHINE_ARN", machine),
        ("ORDER_CANCEL_MACHINE_ARN", machine),
        ("SWEEP_AFTER_SECONDS", "0"),
    ];
    function::App::new(context_at(world, &settings, now, lines)).unwrap()
}

fn output(found: usize, settled: usize, failed: usize, stuck: usize) -> Swept {
    Swept { found, settled, failed, stuck }
}

#[tokio::test]
async fn orders_that_cannot_be_settled_do_not_hide_later_ones() {
    let shop = Shop::open().await;
    // 120 entries of one partition that are older than the order.
    for number in 0..120 {
        shop.put_lost(16 * number, &json!({}));
    }
    let late = placed(16 * 200, &[(1, 2)]);
    begin(&shop.world, &late, &payment(1)).await;
    assert_eq!(shop.sweep(&[]).await, output(121, 1, 120, 0));
    assert_eq!(status(&shop.world, &late).await, OrderStatus::Rejected);
    assert_eq!((stock(&shop.world, 1), shop.provider.voided().len()), (Some(9), 1));
    // The next sweep passes over them.
    assert_eq!(shop.sweep(&[]).await, output(120, 0, 0, 0));
}

#[tokio::test]
async fn after_the_last_attempt_an_order_is_left_to_a_person() {
    let shop = Shop::open().await;
    shop.put_lost(1, &json!({"attempts": {"N": (MOST_ATTEMPTS - 1).to_string()}}));
    assert_eq!(shop.sweep(&[]).await, output(1, 0, 0, 1));
    assert_eq!(shop.incidents(), [("orderStuck".to_owned(), order_id(1).to_string())]);
    assert_eq!(shop.sweep(&[]).await, output(1, 0, 0, 1), "the next sweep passes over it");
    assert_eq!(shop.incidents(), [], "and reports it once");
    assert_eq!(shop.sweep(&[order_id(1)]).await, output(1, 0, 1, 0), "an operator lets it try again");
}

/// The hold of a payment lapsed, or somebody cancelled it at the provider.
#[tokio::test]
async fn an_order_whose_payment_was_cancelled_says_so_and_gives_its_stock_back() {
    let shop = Shop::open().await;
    let order = confirm(&shop.world, &placed(1, &[(1, 2)]), &payment(1)).await;
    shop.provider.void(&payment(1));
    assert_eq!(shop.sweep(&[]).await, output(1, 1, 0, 0));
    let mut expected = in_status(order.clone(), OrderStatus::PaymentFailed);
    expected.order.reason = Some(RejectionReason::payment_cancelled());
    let world = &shop.world;
    assert_eq!(world.table.order(user_id(CUSTOMER), order_id(1)).await.unwrap(), expected);
    assert_eq!((stock(world, 1), entry(world, 1).is_null()), (Some(9), true));
    assert_eq!(shop.incidents(), [("paymentFailed".to_owned(), order_id(1).to_string())]);
    let cancel = world.table.cancel_order(order).await;
    assert_eq!(cancel, Err(domain::Error::Conflict { detail: "The order's payment failed." }));
}

/// Between the two writes of a failed payment, the function died.
#[tokio::test]
async fn a_failed_payment_that_was_recorded_only_gives_the_stock_back_in_the_next_sweep() {
    let shop = Shop::open().await;
    let order = confirm(&shop.world, &placed(1, &[(1, 2)]), &payment(1)).await;
    shop.provider.void(&payment(1));
    let (request, reason) = (order.request(), RejectionReason::payment_cancelled());
    let fail = shop.world.table.fail_payment(&request, &reason);
    assert_eq!(shop.world.measure("fail_payment", "", fail).await, Ok(true));
    assert_eq!(stock(&shop.world, 1), Some(7));
    let again = shop.world.table.fail_payment(&request, &reason);
    assert_eq!(shop.world.measure("fail_payment", "failed before", again).await, Ok(true));
    for settled in [1, 0] {
        assert_eq!(shop.sweep(&[]).await, output(settled, settled, 0, 0));
        assert_eq!((stock(&shop.world, 1), entry(&shop.world, 1).is_null()), (Some(9), true));
    }
}

/// The cancellation voids the payment, and a capture that comes later finds it voided.
#[tokio::test]
async fn a_payment_that_a_cancellation_voided_has_not_failed() {
    let shop = Shop::open().await;
    let order = confirm(&shop.world, &placed(1, &[(1, 2)]), &payment(1)).await;
    shop.world.table.cancel_order(order.clone()).await.unwrap();
    let (request, reason) = (order.request(), RejectionReason::payment_cancelled());
    let fail = shop.world.table.fail_payment(&request, &reason);
    assert_eq!(shop.world.measure("fail_payment", "cancelled", fail).await, Ok(false));
    assert_eq!(shop.sweep(&[]).await, output(1, 1, 0, 0));
    assert_eq!(status(&shop.world, &order).await, OrderStatus::Cancelled);
    assert_eq!((stock(&shop.world, 1), shop.provider.voided().len()), (Some(9), 1));
    let late = shop.world.table.leave_to_a_person(order_id(1), Epoch::CANCELLATION, "late", None).await;
    assert_eq!(late, Ok(()));
    assert!(entry(&shop.world, 1).is_null());
}

/// A confirmed order of two units whose money was captured, and which was cancelled.
async fn cancelled(shop: &Shop) {
    let order = confirm(&shop.world, &placed(1, &[(1, 2)]), &payment(1)).await;
    shop.provider.capture(&payment(1));
    shop.world.table.settle_paid(order_id(1)).await.unwrap();
    shop.world.table.cancel_order(order).await.unwrap();
}

#[tokio::test]
async fn a_refund_that_is_refused_for_good_holds_no_stock_and_is_left_to_a_person() {
    let shop = Shop::open().await;
    cancelled(&shop).await;
    shop.provider.next_refunds(&["disputed"]);
    assert_eq!(shop.sweep(&[]).await, output(1, 0, 0, 1));
    assert_eq!(shop.incidents(), [("refundRefused".to_owned(), order_id(1).to_string())]);
    assert_eq!((stock(&shop.world, 1), entry(&shop.world, 1)["reserved"].is_null()), (Some(9), true));
    assert_eq!(shop.sweep(&[]).await, output(1, 0, 0, 1));
    assert_eq!((shop.incidents(), stock(&shop.world, 1)), (vec![], Some(9)));
    // The dispute was won, and an operator lets the sweep try again.
    assert_eq!(shop.sweep(&[order_id(1)]).await, output(1, 1, 0, 0));
    assert_eq!((shop.provider.refunds(), entry(&shop.world, 1).is_null()), (vec!["succeeded"], true));
}

#[tokio::test]
async fn a_refund_that_is_under_way_is_asked_for_until_it_is_done() {
    let shop = Shop::open().await;
    cancelled(&shop).await;
    shop.provider.next_refunds(&["pending"]);
    for _ in 0..2 {
        assert_eq!(shop.sweep(&[]).await, output(1, 0, 0, 0));
        assert_eq!(stock(&shop.world, 1), Some(9), "the stock does not wait");
    }
    shop.provider.last_refund_becomes("failed");
    assert_eq!(shop.sweep(&[]).await, output(1, 1, 0, 0));
    assert_eq!(shop.provider.refunds(), ["failed", "succeeded"]);
    assert_eq!((stock(&shop.world, 1), entry(&shop.world, 1).is_null()), (Some(9), true));
}

/// The bank decides, and no event tells.
#[tokio::test]
async fn a_refund_that_was_refused_is_asked_for_again_after_a_day() {
    let mut shop = Shop::open().await;
    cancelled(&shop).await;
    shop.provider.next_refunds(&["disputed"]);
    assert_eq!(shop.sweep(&[]).await, output(1, 0, 0, 1));
    shop.pass(86_399);
    assert_eq!(shop.sweep(&[]).await, output(1, 0, 0, 1));
    shop.pass(1);
    shop.provider.next_refunds(&["disputed"]);
    assert_eq!(shop.sweep(&[]).await, output(1, 0, 0, 1));
    assert_eq!(shop.incidents(), [("refundRefused".to_owned(), order_id(1).to_string())], "it is told once");
    shop.pass(86_400);
    assert_eq!(shop.sweep(&[]).await, output(1, 1, 0, 0));
    assert_eq!((shop.provider.refunds(), entry(&shop.world, 1).is_null()), (vec!["succeeded"], true));
}

/// Somebody captured the payment of an order that was not confirmed, in the provider's dashboard.
#[tokio::test]
async fn a_rejected_order_keeps_its_entry_until_its_refund_is_done() {
    let shop = Shop::open().await;
    let order = placed(1, &[(1, 2)]);
    let request = begin(&shop.world, &order, &payment(1)).await;
    shop.provider.capture(&payment(1));
    shop.provider.next_refunds(&["pending"]);
    assert_eq!(shop.sweep(&[]).await, output(1, 0, 0, 0));
    assert_eq!(status(&shop.world, &order).await, OrderStatus::Rejected);
    let reason = RejectionReason::payment_cancelled();
    let reject = shop.world.table.reject_unsettled(&request, &reason);
    assert_eq!(shop.world.measure("reject_unsettled", "rejected before", reject).await, Ok(()));
    shop.provider.last_refund_becomes("succeeded");
    assert_eq!(shop.sweep(&[]).await, output(1, 1, 0, 0));
    assert_eq!((stock(&shop.world, 1), entry(&shop.world, 1).is_null()), (Some(9), true));
}
