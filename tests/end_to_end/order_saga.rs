//! Faults at every step of order-place and order-cancel, and of the payment provider: after each of them, stock, money
//! and the order's status agree.

use crate::{
    backend::{FAULTS, StepFault, rules},
    orders::{VISA, is_settled, money, order, payments_of, place, product, stock},
    own_instance::OwnInstance,
    souk::{Answer, Souk, User, eventually, unique},
};
use serde_json::{Value, json};
use std::thread;
use table::keys;

const PLACE: &str = "OrderPlaceMachineArn";
const STEPS: [&str; 3] = ["stock-reserve", "payment-authorize", "order-confirm"];
const UNDO: &str = "order-undo";

/// A card of Stripe's test mode whose charges are always declined.
pub const DECLINED: &str = "pm_card_visa_chargeDeclined";

/// A seller's product and a user who buys it.
struct Shop<'a> {
    souk: &'a Souk,
    jam: Answer,
    buyer: User,
}

impl<'a> Shop<'a> {
    fn open(souk: &'a Souk) -> Self {
        souk.put_delays(&json!({"retry": 0.01, "wait": 0}));
        Self { souk, jam: product(souk, &souk.user(), 1000, 650, "SGD"), buyer: souk.user() }
    }

    fn place(&self, key: &str) -> Answer {
        self.place_with(key, 1, VISA)
    }

    fn place_with(&self, key: &str, quantity: u32, method: &str) -> Answer {
        place(self.souk, &self.buyer, key, &order(&[(&self.jam, quantity)], method))
    }

    fn shown(&self, id: &str) -> Value {
        self.souk.send(self.buyer.call("GET", &format!("/orders/{id}"))).body
    }

    /// The id of the order with this idempotency key.
    fn id(&self, key: &str) -> String {
        self.souk.recorded_id(&self.buyer, "order-place", key).expect("the order was recorded")
    }

    /// Waits until an order is settled, checks that stock and money agree with its status, and returns the status.
    fn check(&self, id: &str, stock_before: i64, what: &str) -> String {
        eventually("the order is settled", || is_settled(self.souk, id));
        let status = self.shown(id)["status"].as_str().unwrap().to_owned();
        let (held, taken, back) = money(self.souk, id);
        let sold = stock_before - stock(self.souk, &self.jam);
        let expected = if status == "confirmed" { (1, 0, 650) } else { (0, 0, 0) };
        assert_eq!((sold, held, taken - back), expected, "{what}: {status}, taken {taken}, back {back}");
        let payments = payments_of(self.souk, id);
        assert!(payments.len() <= 1, "{what}: {payments:?}");
        status
    }
}

#[test]
fn stock_money_and_status_agree_after_faults_of_steps() {
    let own = OwnInstance::lease(&[]);
    let shop = Shop::open(&own.souk);
    for step in STEPS {
        for fault in FAULTS {
            let StepFault { kind, when, is_retried, .. } = fault;
            let (what, key) = (format!("{step} {kind} {when}"), unique());
            let before = stock(shop.souk, &shop.jam);
            shop.souk.put_faults(&rules(step, fault, &[UNDO]));
            let answer = shop.place(&key);
            let id = shop.id(&key);
            shop.souk.put_faults(&json!([]));
            // A confirmation that was written is not undone, even if its answer is lost.
            let succeeds = is_retried || step == "order-confirm" && when == "after";
            let status = shop.check(&id, before, &what);
            let entered = shop.souk.entered(PLACE, &id);
            assert_eq!(entered.contains(&"UndoOrder".to_owned()), !is_retried, "{what}: {entered:?}");
            if succeeds {
                assert_eq!((answer.status, status.as_str()), (201, "confirmed"), "{what}: {answer:?}");
                assert_eq!(entered.last().unwrap(), "CapturePayment", "{what}: {entered:?}");
            } else {
                answer.problem(422, "order-rejected");
                assert_eq!(status, "rejected", "{what}");
                assert!(answer.body["detail"].as_str().unwrap().contains(step), "{what}: {answer:?}");
                assert_eq!(shop.shown(&id)["reason"]["step"], step, "{what}");
            }
        }
    }
}

/// Each cause of an undo, with each fault of the undo itself: it is retried until it succeeds.
#[test]
fn an_order_is_undone_whatever_fails_in_its_undo() {
    let own = OwnInstance::lease(&[]);
    let shop = Shop::open(&own.souk);
    let fails =
        |step: &str, when: &str| Some(json!({"function": step, "kind": "fail", "when": when, "times": 1}));
    let ways = [
        ("out of stock", 2000, VISA, None, "OrderRejected"),
        ("a declined payment", 1, DECLINED, None, "OrderRejected"),
        ("a failed reservation", 1, VISA, fails("stock-reserve", "after"), "OrderNotPlaced"),
        ("a failed confirmation", 1, VISA, fails("order-confirm", "before"), "OrderNotPlaced"),
        ("a lost confirmation", 1, VISA, fails("order-confirm", "after"), "CapturePayment"),
    ];
    for (way, quantity, method, failure, end) in &ways {
        for fault in FAULTS {
            let StepFault { kind, when, is_retried, .. } = fault;
            let what = format!("{way}, {UNDO} {kind} {when}");
            let (key, before) = (unique(), stock(shop.souk, &shop.jam));
            let mut faults = rules(UNDO, fault, &[]);
            faults.as_array_mut().unwrap().extend(failure.clone());
            shop.souk.put_faults(&faults);
            shop.place_with(&key, *quantity, method);
            let id = shop.id(&key);
            let status = shop.check(&id, before, &what);
            assert_eq!(status == "confirmed", *end == "CapturePayment", "{what}: {status}");
            eventually("the execution has ended", || shop.souk.entered(PLACE, &id).last().unwrap() == end);
            let rests = shop.souk.entered(PLACE, &id).contains(&"RestBeforeUndoOrder".to_owned());
            assert_eq!(rests, !is_retried, "{what}");
            shop.souk.put_faults(&json!([]));
        }
    }
}

/// A confirmed order is not undone: the capture of its payment is retried until it succeeds.
#[test]
fn a_confirmed_order_is_paid_whatever_fails() {
    let own = OwnInstance::lease(&[]);
    let shop = Shop::open(&own.souk);
    for fault in FAULTS {
        let (key, before) = (unique(), stock(shop.souk, &shop.jam));
        shop.souk.put_faults(&rules("payment-capture", fault, &[]));
        assert_eq!(shop.place(&key).status, 201);
        assert_eq!(shop.check(&shop.id(&key), before, &format!("{fault:?}")), "confirmed");
        shop.souk.put_faults(&json!([]));
    }
}

#[test]
fn a_cancelled_order_gives_all_back_whatever_fails() {
    let own = OwnInstance::lease(&[]);
    let shop = Shop::open(&own.souk);
    for fault in FAULTS {
        let (key, before) = (unique(), stock(shop.souk, &shop.jam));
        let placed = shop.place(&key);
        assert_eq!(placed.status, 201, "{placed:?}");
        shop.souk.put_faults(&rules(UNDO, fault, &[]));
        let path = format!("{}/cancellation", placed.header("location"));
        assert_eq!(shop.souk.send(shop.buyer.call("POST", &path)).body["status"], "cancelled");
        assert_eq!(shop.check(&shop.id(&key), before, &format!("{fault:?}")), "cancelled");
        shop.souk.put_faults(&json!([]));
    }
}

/// The provider's answer is lost before or after the provider has executed the call, or is a temporary error.
#[test]
fn stock_money_and_status_agree_after_faults_of_the_provider() {
    let own = OwnInstance::lease(&[]);
    let shop = Shop::open(&own.souk);
    for (path, kind, when, times, expected) in [
        // Parts of the paths of three calls: creation of a payment, authorization, capture.
        ("POST /v1/payment_intents", "drop", "before", 2, "confirmed"),
        ("POST /v1/payment_intents", "drop", "after", 2, "confirmed"),
        ("POST /v1/payment_intents", "drop", "after", 99, "rejected"),
        ("/confirm", "drop", "before", 2, "confirmed"),
        ("/confirm", "drop", "after", 2, "confirmed"),
        ("/confirm", "hang", "after", 1, "confirmed"),
        ("/confirm", "drop", "before", 99, "rejected"),
        ("/confirm", "drop", "after", 99, "rejected"),
        ("/capture", "drop", "before", 2, "confirmed"),
        ("/capture", "drop", "after", 30, "confirmed"),
    ] {
        let (key, before) = (unique(), stock(shop.souk, &shop.jam));
        let rule = json!({"path": path, "kind": kind, "when": when, "times": times});
        // If the payment is voided, the first two answers to that call are lost.
        let void = json!({"path": "/cancel", "kind": "drop", "when": "after", "times": 2});
        shop.souk.put_payment_faults(&json!([rule, void]));
        shop.place(&key);
        let id = shop.id(&key);
        eventually("the order has ended", || shop.shown(&id)["status"] != "pending");
        let status = shop.check(&id, before, &rule.to_string());
        shop.souk.put_payment_faults(&json!([]));
        assert_eq!(status, expected, "{rule}");
    }
    for status in [429, 409, 500] {
        let (key, before) = (unique(), stock(shop.souk, &shop.jam));
        let rule =
            json!({"path": "/confirm", "kind": "status", "status": status, "when": "before", "times": 2});
        shop.souk.put_payment_faults(&json!([rule]));
        assert_eq!(shop.place(&key).status, 201, "{status}");
        assert_eq!(shop.check(&shop.id(&key), before, &status.to_string()), "confirmed");
    }
    shop.souk.put_payment_faults(&json!([]));
}

/// An invocation of a step that is executed after the undo takes no stock and no money.
#[test]
fn a_step_after_its_undo_takes_nothing() {
    let own = OwnInstance::lease(&[]);
    let shop = Shop::open(&own.souk);
    for step in STEPS {
        let (key, before) = (unique(), stock(shop.souk, &shop.jam));
        shop.souk.put_faults(
            &json!([{"function": step, "kind": "timeout", "when": "later", "times": 1, "id": "late"}]),
        );
        shop.place(&key).problem(422, "order-rejected");
        let id = shop.id(&key);
        assert_eq!(shop.check(&id, before, step), "rejected");
        shop.souk.put_faults(&json!([]));
        // The late invocation has ended once no process of the function is busy.
        eventually("the late call has ended", || !own.souk.is_busy(step));
        assert_eq!(shop.check(&id, before, step), "rejected");
    }
}

fn swept(found: usize, settled: usize) -> Value {
    json!({"found": found, "settled": settled, "failed": 0, "stuck": 0})
}

/// Executions that reach their time limit at each step. They leave held stock, a held payment, a payment without
/// capture, or nothing to undo.
#[test]
fn the_sweep_finishes_abandoned_orders() {
    let own = OwnInstance::lease(&["SweepAfterSeconds=0"]);
    let shop = Shop::open(&own.souk);
    let souk = shop.souk;
    let hold = |step: &str| souk.put_faults(&json!([{"function": step, "kind": "hold", "id": "held"}]));
    let await_step = || eventually("the step is held", || souk.held("held") > 0);
    let abandon = |id: &str| {
        souk.end_executions(id);
        assert_eq!(souk.invoke("order-sweep", &json!({})), swept(1, 1));
        assert_eq!(souk.invoke("order-sweep", &json!({})), swept(0, 0));
        // Releases the held step, which is then executed after the sweep.
        souk.put_faults(&json!([]));
    };
    for (step, method, expected) in [
        ("stock-reserve", VISA, "rejected"),
        ("payment-authorize", VISA, "rejected"),
        ("order-confirm", VISA, "rejected"),
        ("payment-capture", VISA, "confirmed"),
        (UNDO, DECLINED, "rejected"),
    ] {
        let (key, before) = (unique(), stock(souk, &shop.jam));
        hold(step);
        let id = thread::scope(|scope| {
            let placing = scope.spawn(|| shop.place_with(&key, 1, method));
            await_step();
            let id = shop.id(&key);
            abandon(&id);
            placing.join().unwrap();
            id
        });
        eventually("the late step has ended", || !own.souk.is_busy(step));
        assert_eq!(shop.check(&id, before, step), expected, "{step}");
    }
    let (key, before) = (unique(), stock(souk, &shop.jam));
    let placed = shop.place(&key);
    let id = shop.id(&key);
    eventually("the order is settled", || is_settled(souk, &id));
    hold(UNDO);
    let path = format!("{}/cancellation", placed.header("location"));
    assert_eq!(souk.send(shop.buyer.call("POST", &path)).status, 200);
    await_step();
    abandon(&id);
    eventually("the late step has ended", || !own.souk.is_busy(UNDO));
    assert_eq!(shop.check(&id, before, "a cancellation"), "cancelled");
}

/// The function died between recording the order and starting the execution, and the customer never retries.
#[test]
fn an_order_that_was_never_begun_is_swept_up() {
    let own = OwnInstance::lease(&["SweepAfterSeconds=0"]);
    let shop = Shop::open(&own.souk);
    let souk = shop.souk;
    let placed = shop.place(&unique());
    assert_eq!(placed.status, 201, "{placed:?}");
    let user = shop.buyer.id.parse().unwrap();
    let mut item = souk.item(&keys::order(user, placed.body["orderId"].as_str().unwrap().parse().unwrap()));
    // Writes the order as it was when it was recorded, with another id.
    let id = "019aa251-4760-7303-8303-030303030303";
    let (order, entry) = (keys::order(user, id.parse().unwrap()), keys::unsettled(id.parse().unwrap()));
    item["sk"]["S"] = json!(order.sk);
    item["orderId"]["S"] = json!(id);
    item["status"]["S"] = json!("pending");
    item.as_object_mut().unwrap().remove("payment");
    let entry = json!({"pk": {"S": entry.pk}, "sk": {"S": entry.sk}, "customerId": {"S": shop.buyer.id}, "epoch": {"N": "0"}});
    for item in [item, entry] {
        let put = json!({"TableName": souk.output("TableName"), "Item": item});
        souk.aws("dynamodb", "DynamoDB_20120810.PutItem", &put);
    }
    eventually("the first order is settled", || {
        souk.invoke("order-sweep", &json!({}));
        is_settled(souk, id)
    });
    let shown = shop.shown(id);
    assert_eq!((&shown["status"], &shown["reason"]["code"]), (&json!("rejected"), &json!("failed")));
}
