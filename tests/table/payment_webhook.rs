//! payment-webhook: which events it takes, and what they do to orders.

use crate::{
    application::{Lines, context_at},
    order_support::{confirm, entry, in_status, order_id, payment, placed, reserve, stocked},
    provider::Provider,
};
use app::settlement::{Cause, Undo, Undone};
use domain::{
    order::{OrderStatus, PlacedOrder},
    payment::{DisputeStatus, RefundStatus},
};
use http::{HeaderMap, HeaderValue, Method, StatusCode};
use serde_json::{Value, json};
use table::Epoch;
use tests::{
    World,
    samples::{later, now},
    webhook::{event, signature},
};
use web::Request;

#[expect(dead_code, reason = "the test plays Lambda and needs no main")]
#[path = "../../functions/payment-webhook/src/main.rs"]
mod function;

struct Shop {
    world: World,
    provider: Provider,
    app: function::App,
    undo: Undo,
    lines: Lines,
}

impl Shop {
    /// With a confirmed and captured order of two of nine units.
    async fn open() -> (Self, PlacedOrder) {
        let world = World::new();
        stocked(&world, 1, 9).await;
        let order = confirm(&world, &placed(1, &[(1, 2)]), &payment(1)).await;
        world.table.settle_paid(order_id(1)).await.unwrap();
        let provider = Provider::start(world.wire.clone()).await;
        provider.capture(&payment(1));
        provider.name_order(order.customer_id, order_id(1));
        let settings = [
            ("PAYMENTS_SECRET_ARN", "arn"),
            ("PAYMENTS_WEBHOOK_SECRET_ARN", "arn"),
            ("PAYMENTS_URL", provider.url.as_str()),
        ];
        let lines = Lines::default();
        let context = context_at(&world, &settings, now(), &lines);
        let undo = app::Client::new(&context).unwrap();
        let app = function::App::new(context).unwrap();
        (Self { world, provider, app, undo, lines }, order)
    }

    async fn send(&self, event: &Value, sent_at: u64) -> StatusCode {
        let body = event.to_string().into_bytes();
        let signature = signature(&body, sent_at);
        self.request(body, Some(&signature)).await
    }

    async fn request(&self, body: Vec<u8>, signature: Option<&str>) -> StatusCode {
        let mut headers = HeaderMap::new();
        if let Some(signature) = signature {
            headers.insert("stripe-signature", HeaderValue::from_str(signature).unwrap());
        }
        let request = Request {
            method: Method::POST,
            path: "/payments/webhook".to_owned(),
            path_parameters: std::collections::HashMap::new(),
            query: String::new(),
            headers,
            body,
            source: "192.0.2.1".to_owned(),
            id: "request".to_owned(),
            received_at: now(),
            verified: None,
        };
        match function::take_event(&self.app, request).await {
            Ok(response) => response.status,
            Err(problem) => problem.into_response("request").status,
        }
    }

    /// Sends a new event about the order's payment.
    async fn tell(&self, id: &str, kind: &str) {
        let event = event(id, kind, payment(1).as_str());
        assert_eq!(self.send(&event, now().unix_seconds()).await, 204, "{kind}");
    }

    async fn order(&self, order: &PlacedOrder) -> PlacedOrder {
        self.world.table.order(order.customer_id, order.order.order_id).await.unwrap()
    }

    async fn undo(&self, order: &PlacedOrder, epoch: Epoch) -> Undone {
        self.undo.undo(&order.request(), epoch, &Cause::Ended, now()).await.unwrap()
    }

    fn incidents(&self) -> Vec<String> {
        let lines = std::mem::take(&mut *self.lines.lock().unwrap());
        let lines = lines.iter().map(|line| serde_json::from_str::<Value>(line).unwrap());
        lines.filter_map(|line| line["incident"].as_str().map(str::to_owned)).collect()
    }
}

#[tokio::test]
async fn only_signed_events_of_the_last_five_minutes_are_taken() {
    let (shop, order) = Shop::open().await;
    shop.provider.dispute("needs_response");
    let dispute = event("evt_1", "charge.dispute.created", payment(1).as_str());
    let (body, sent_at) = (dispute.to_string().into_bytes(), now().unix_seconds());
    let of_other_body = signature(b"{}", sent_at);
    for wrong in [None, Some(""), Some("t=1,v1=00"), Some(of_other_body.as_str())] {
        assert_eq!(shop.request(body.clone(), wrong).await, 400, "{wrong:?}");
    }
    for late in [sent_at - 301, sent_at + 301] {
        assert_eq!(shop.send(&dispute, late).await, 400);
    }
    assert_eq!(shop.send(&json!({"id": "evt_1"}), sent_at).await, 400, "no event");
    assert_eq!((shop.order(&order).await, shop.incidents()), (order.clone(), vec![]));
    assert_eq!(shop.send(&dispute, sent_at - 300).await, 204);
    assert_eq!(shop.order(&order).await.order.dispute, Some(DisputeStatus::Open));
}

#[tokio::test]
async fn an_event_that_says_nothing_of_an_order_changes_nothing() {
    let (shop, order) = Shop::open().await;
    shop.provider.dispute("needs_response");
    shop.tell("evt_1", "customer.created").await;
    shop.tell("evt_2", "payment_intent.succeeded").await;
    // A payment of other software, and one of an order that is not stored.
    shop.provider.name_order(order.customer_id, order_id(2));
    shop.tell("evt_3", "charge.dispute.created").await;
    assert_eq!((shop.order(&order).await, shop.incidents()), (order, vec![]));
    assert!(entry(&shop.world, 1).is_null());
}

#[tokio::test]
async fn a_dispute_is_told_to_the_customer_and_to_a_person() {
    let (shop, order) = Shop::open().await;
    shop.provider.dispute("needs_response");
    shop.tell("evt_1", "charge.dispute.created").await;
    assert_eq!(shop.order(&order).await.order.dispute, Some(DisputeStatus::Open));
    assert_eq!(shop.incidents(), ["paymentDisputed"]);
    // The provider sends the event again, and the bank has decided meanwhile: an event is taken once.
    shop.provider.dispute("lost");
    shop.tell("evt_1", "charge.dispute.created").await;
    assert_eq!(
        (shop.order(&order).await.order.dispute, shop.incidents()),
        (Some(DisputeStatus::Open), vec![])
    );
    shop.tell("evt_2", "charge.dispute.closed").await;
    assert_eq!(shop.order(&order).await.order.dispute, Some(DisputeStatus::Accepted));
    assert_eq!(shop.incidents(), ["paymentDisputed"]);
    // An earlier event that comes late does not bring the earlier state back.
    shop.tell("evt_0", "charge.dispute.created").await;
    assert_eq!(shop.order(&order).await.order.version, 4);
    assert!(entry(&shop.world, 1).is_null());
}

#[tokio::test]
async fn a_refund_that_fails_after_it_was_done_is_made_again() {
    let (shop, order) = Shop::open().await;
    let order = shop.world.table.cancel_order(order).await.unwrap();
    assert_eq!(shop.undo(&order, Epoch::CANCELLATION).await, Undone::Undone);
    assert!(entry(&shop.world, 1).is_null());
    shop.provider.last_refund_becomes("failed");
    for id in ["evt_1", "evt_2"] {
        shop.tell(id, "refund.failed").await;
        assert_eq!(entry(&shop.world, 1)["epoch"]["N"], "2");
    }
    let epoch = Epoch::after_failed_refunds(1);
    assert_eq!(shop.undo(&order, Epoch::CANCELLATION).await, Undone::Undone);
    assert_eq!(shop.provider.refunds(), ["failed"], "an undo of the cancellation does nothing any more");
    assert_eq!(shop.undo(&order, epoch).await, Undone::Undone);
    assert_eq!(shop.provider.refunds(), ["failed", "succeeded"]);
    assert_eq!((shop.order(&order).await, entry(&shop.world, 1)), (order.clone(), json!(null)));
    // The same failure again changes nothing that matters: there is nothing left to refund.
    shop.tell("evt_3", "charge.refund.updated").await;
    assert_eq!(shop.undo(&order, epoch).await, Undone::Undone);
    assert_eq!((shop.provider.refunds().len(), entry(&shop.world, 1)), (2, json!(null)));
}

#[tokio::test]
async fn an_order_says_that_its_refund_is_refused_until_the_dispute_has_decided() {
    for (decision, refunds) in [("won", &["succeeded"][..]), ("lost", &[])] {
        let (shop, order) = Shop::open().await;
        let order = shop.world.table.cancel_order(order).await.unwrap();
        shop.provider.dispute("needs_response");
        shop.provider.next_refunds(&["disputed"]);
        assert_eq!(shop.undo(&order, Epoch::CANCELLATION).await, Undone::RefundRefused);
        assert_eq!(shop.order(&order).await.order.refund, Some(RefundStatus::Failed));
        assert!(!entry(&shop.world, 1)["stuck"].is_null());
        shop.provider.dispute(decision);
        if decision == "lost" {
            shop.provider.next_refunds(&["disputed"]);
        }
        shop.tell("evt_1", "charge.dispute.closed").await;
        assert!(entry(&shop.world, 1)["stuck"].is_null(), "the sweep tries again");
        assert_eq!(shop.undo(&order, Epoch::CANCELLATION).await, Undone::Undone);
        let found = shop.order(&order).await.order;
        assert_eq!((found.refund, found.status), (None, OrderStatus::Cancelled));
        assert_eq!((shop.provider.refunds(), entry(&shop.world, 1)), (refunds.to_vec(), json!(null)));
    }
}

#[tokio::test]
async fn an_order_says_that_its_refund_is_under_way() {
    let (shop, order) = Shop::open().await;
    let order = shop.world.table.cancel_order(order).await.unwrap();
    shop.provider.next_refunds(&["pending"]);
    for _ in 0..2 {
        assert_eq!(shop.undo(&order, Epoch::CANCELLATION).await, Undone::Refunding);
        let found = shop.order(&order).await.order;
        assert_eq!((found.refund, found.version), (Some(RefundStatus::Pending), 4));
    }
    shop.provider.last_refund_becomes("succeeded");
    shop.tell("evt_1", "refund.updated").await;
    assert_eq!(shop.undo(&order, Epoch::CANCELLATION).await, Undone::Undone);
    assert_eq!(shop.order(&order).await.order.refund, None);
}

/// Somebody cancelled the payment of an order that is still being processed: the sweep does not wait.
#[tokio::test]
async fn a_cancelled_payment_lets_the_sweep_try_at_once() {
    let (shop, _) = Shop::open().await;
    let order = placed(2, &[(1, 1)]);
    reserve(&shop.world, &order).await;
    shop.world.table.leave_to_a_person(order_id(2), Epoch::PLACEMENT, "x", None).await.unwrap();
    shop.provider.name_order(order.customer_id, order_id(2));
    shop.tell("evt_1", "payment_intent.canceled").await;
    assert!(entry(&shop.world, 2)["stuck"].is_null());
    assert_eq!(shop.order(&order).await, in_status(order, OrderStatus::Pending));
}

/// An event is recorded only once its work is done: if the table fails in between, the provider sends it again.
#[tokio::test]
async fn an_event_whose_work_fails_is_not_recorded() {
    let (shop, order) = Shop::open().await;
    shop.provider.dispute("needs_response");
    shop.world.wire.always("UpdateItem", tests::Fault::Failing);
    let dispute = event("evt_1", "charge.dispute.created", payment(1).as_str());
    assert_eq!(shop.send(&dispute, later(0).unix_seconds()).await, 503);
    shop.world.wire.heal();
    assert_eq!(shop.order(&order).await.order.dispute, None);
    shop.tell("evt_1", "charge.dispute.created").await;
    assert_eq!(shop.order(&order).await.order.dispute, Some(DisputeStatus::Open));
}
