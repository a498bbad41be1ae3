//! `/payments/webhook`: the provider tells what happened to payments, through the gateway.

use crate::{
    orders::{VISA, is_settled, money, order, payments_of, place, product, stock},
    own_instance::OwnInstance,
    souk::{Answer, Call, SOUK, Souk, User, eventually, unique},
};
use serde_json::{Value, json};
use std::{
    thread,
    time::{SystemTime, UNIX_EPOCH},
};
use tests::webhook::{event, signature};

/// A confirmed order of a new user, whose payment is captured.
struct Bought {
    buyer: User,
    id: String,
    payment: String,
}

impl Bought {
    fn new(souk: &Souk) -> Self {
        let buyer = souk.user();
        let jam = product(souk, &souk.user(), 10, 650, "SGD");
        let placed = place(souk, &buyer, &unique(), &order(&[(&jam, 1)], VISA));
        assert_eq!(placed.status, 201, "{placed:?}");
        let id = placed.body["orderId"].as_str().unwrap().to_owned();
        eventually("the order is settled", || is_settled(souk, &id));
        let payment = payments_of(souk, &id)[0]["id"].as_str().unwrap().to_owned();
        Self { buyer, id, payment }
    }

    fn shown(&self, souk: &Souk) -> Value {
        souk.send(self.buyer.call("GET", &format!("/orders/{}", self.id))).body
    }

    fn cancel(&self, souk: &Souk) {
        let cancelled = souk.send(self.buyer.call("POST", &format!("/orders/{}/cancellation", self.id)));
        assert_eq!(cancelled.status, 200, "{cancelled:?}");
    }
}

fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()
}

fn send(event: &Value, sent_at: u64) -> Answer {
    let body = event.to_string();
    let call = Call::new("POST", "/payments/webhook")
        .header("stripe-signature", &signature(body.as_bytes(), sent_at));
    SOUK.send(call.json(event))
}

#[test]
fn an_event_needs_a_signature_of_the_last_five_minutes_and_no_token() {
    let event = event(&unique(), "customer.created", "pi_1");
    assert_eq!(send(&event, now()).status, 204);
    let unsigned = SOUK.send(Call::new("POST", "/payments/webhook").json(&event));
    assert_eq!((unsigned.status, &unsigned.body["errors"][0]["header"]), (400, &json!("Stripe-Signature")));
    assert_eq!(send(&event, now() - 301).status, 400);
    let forged = Call::new("POST", "/payments/webhook").header("stripe-signature", &signature(b"{}", now()));
    assert_eq!(SOUK.send(forged.json(&event)).status, 400);
}

#[test]
fn a_refund_that_fails_later_is_made_again() {
    let own = OwnInstance::lease(&["SweepAfterSeconds=0"]);
    let (souk, bought) = (&own.souk, Bought::new(&own.souk));
    bought.cancel(souk);
    eventually("the order is settled", || is_settled(souk, &bought.id));
    let refund = souk.refunds(&bought.payment)[0]["id"].as_str().unwrap().to_owned();
    souk.put_refund(&refund, "failed");
    eventually("the event has come", || !is_settled(souk, &bought.id));
    eventually("the sweep has refunded it again", || {
        souk.invoke("order-sweep", &json!({}));
        is_settled(souk, &bought.id)
    });
    let statuses: Vec<_> =
        souk.refunds(&bought.payment).iter().map(|refund| refund["status"].clone()).collect();
    assert_eq!(
        (statuses, money(souk, &bought.id)),
        (vec![json!("succeeded"), json!("failed")], (0, 650, 650))
    );
    assert_eq!(bought.shown(souk)["refund"], Value::Null);
}

/// The refund of a cancelled order fails, and another order is disputed, while no webhook arrives.
#[test]
fn a_poll_finds_the_events_that_no_webhook_has_brought() {
    let own = OwnInstance::lease(&["SweepAfterSeconds=0"]);
    let (souk, refunded, disputed) = (&own.souk, Bought::new(&own.souk), Bought::new(&own.souk));
    refunded.cancel(souk);
    eventually("the order is settled", || is_settled(souk, &refunded.id));
    souk.lose_events("");
    let refund = souk.refunds(&refunded.payment)[0]["id"].as_str().unwrap().to_owned();
    souk.put_refund(&refund, "failed");
    souk.put_dispute(&disputed.payment, "needs_response");
    eventually("the poll has found both", || {
        souk.invoke("payment-poll", &json!({}));
        !is_settled(souk, &refunded.id) && disputed.shown(souk)["dispute"] == "open"
    });
    souk.invoke("order-sweep", &json!({}));
    assert_eq!((is_settled(souk, &refunded.id), money(souk, &refunded.id)), (true, (0, 650, 650)));
    let again = souk.invoke("payment-poll", &json!({}));
    assert_eq!(again["processed"], 0, "{again}");
}

#[test]
fn a_disputed_order_says_so_and_its_refund_waits_for_the_decision() {
    let own = OwnInstance::lease(&["SweepAfterSeconds=0"]);
    let souk = &own.souk;
    for (decision, dispute, back) in [("won", "declined", 650), ("lost", "accepted", 0)] {
        let bought = Bought::new(souk);
        souk.put_dispute(&bought.payment, "needs_response");
        eventually("the order is disputed", || bought.shown(souk)["dispute"] == "open");
        bought.cancel(souk);
        eventually("the refund is refused", || bought.shown(souk)["refund"] == "failed");
        souk.put_dispute(&bought.payment, decision);
        eventually("the dispute is decided", || bought.shown(souk)["dispute"] == dispute);
        eventually("the order is settled", || {
            souk.invoke("order-sweep", &json!({}));
            is_settled(souk, &bought.id)
        });
        assert_eq!(money(souk, &bought.id), (0, 650, back), "{decision}");
        assert_eq!(bought.shown(souk)["refund"], Value::Null);
    }
}

/// Somebody cancels the payment in the provider's dashboard, after the order is confirmed and before the money is taken.
#[test]
fn an_order_whose_payment_was_cancelled_says_so_and_gives_its_stock_back() {
    let own = OwnInstance::lease(&[]);
    let (souk, buyer) = (&own.souk, own.souk.user());
    let jam = product(souk, &souk.user(), 10, 650, "SGD");
    souk.put_faults(&json!([{"function": "payment-capture", "kind": "hold", "id": "held"}]));
    let placed = thread::scope(|scope| {
        let placing = scope.spawn(|| place(souk, &buyer, &unique(), &order(&[(&jam, 1)], VISA)));
        eventually("the capture is held", || souk.held("held") > 0);
        souk.cancel_payment(souk.payments()[0]["id"].as_str().unwrap());
        souk.put_faults(&json!([]));
        placing.join().unwrap()
    });
    let id = placed.body["orderId"].as_str().unwrap();
    eventually("the order is settled", || is_settled(souk, id));
    let shown = souk.send(buyer.call("GET", &format!("/orders/{id}"))).body;
    assert_eq!(
        (&shown["status"], &shown["reason"]["code"]),
        (&json!("paymentFailed"), &json!("paymentCancelled"))
    );
    assert_eq!((stock(souk, &jam), money(souk, id)), (10, (0, 0, 0)));
}
