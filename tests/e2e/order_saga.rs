//! Faults at every step of order-place and order-cancel, and of the payment provider: whatever fails, stock, money and the
//! order's status agree at the end.

use crate::{
    behind::{FAULTS, rules},
    orders::{VISA, is_settled, money, order, payments_of, place, product, stock},
    souk::{Answer, OwnInstance, Souk, User, eventually, unique},
};
use serde_json::{Value, json};
use std::thread;
use table::keys;

const PLACE: &str = "OrderPlaceMachineArn";
const CANCEL: &str = "OrderCancelMachineArn";
const STEPS: [&str; 3] = ["stock-reserve", "payment-authorize", "order-confirm"];
const UNDOS: [&str; 3] = ["payment-void", "stock-release", "order-reject"];

/// A seller's product and somebody who buys it.
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
        place(self.souk, &self.buyer, key, &order(&[(&self.jam, 1)], VISA))
    }

    fn shown(&self, id: &str) -> Value {
        self.souk.send(self.buyer.call("GET", &format!("/orders/{id}"))).body
    }

    /// The id of the order under a key.
    fn id(&self, key: &str) -> String {
        self.souk.asked_for(&self.buyer, "order-place", key).expect("the order was recorded")
    }

    /// Checks an order that has ended: stock and money agree with its status. Which that is.
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
fn whatever_fails_stock_money_and_status_agree() {
    let own = OwnInstance::start("e2e-orders", &[]);
    let shop = Shop::open(&own.souk);
    for step in STEPS {
        for fault in FAULTS {
            let (kind, when, _, succeeds) = fault;
            let (what, key) = (format!("{step} {kind} {when}"), unique());
            let before = stock(shop.souk, &shop.jam);
            shop.souk.put_faults(&rules(step, fault, &UNDOS));
            let answer = shop.place(&key);
            let id = shop.id(&key);
            shop.souk.put_faults(&json!([]));
            // Once it was carried out, the confirmation stands, whatever becomes of its answer.
            let succeeds = succeeds || step == "order-confirm" && when == "after";
            let status = shop.check(&id, before, &what);
            let entered = shop.souk.entered(PLACE, &id);
            if succeeds {
                assert_eq!((answer.status, status.as_str()), (201, "confirmed"), "{what}: {answer:?}");
                assert!(!entered.contains(&"ReleaseStock".to_owned()), "{what}: {entered:?}");
            } else {
                answer.problem(422, "order-rejected");
                assert_eq!(status, "rejected", "{what}");
                assert!(answer.body["detail"].as_str().unwrap().contains(step), "{what}: {answer:?}");
                assert_eq!(shop.shown(&id)["reason"]["step"], step, "{what}");
            }
        }
    }
}

/// After the confirmation there is no way back: the money is taken, however often that fails.
#[test]
fn a_confirmed_order_is_paid_whatever_fails() {
    let own = OwnInstance::start("e2e-capture", &["UndoPauseSeconds=1"]);
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
    let own = OwnInstance::start("e2e-cancel", &["UndoPauseSeconds=1"]);
    let shop = Shop::open(&own.souk);
    for step in ["payment-void", "stock-release"] {
        for fault in FAULTS {
            let (key, before) = (unique(), stock(shop.souk, &shop.jam));
            let placed = shop.place(&key);
            assert_eq!(placed.status, 201, "{placed:?}");
            shop.souk.put_faults(&rules(step, fault, &[]));
            let path = format!("{}/cancellation", placed.header("location"));
            assert_eq!(shop.souk.send(shop.buyer.call("POST", &path)).body["status"], "cancelled");
            assert_eq!(shop.check(&shop.id(&key), before, &format!("{step} {fault:?}")), "cancelled");
            shop.souk.put_faults(&json!([]));
        }
    }
}

/// The provider carries a call out, or does not, and nobody hears of it; or it refuses it for now.
#[test]
fn whatever_becomes_of_the_providers_answers_stock_money_and_status_agree() {
    let own = OwnInstance::start("e2e-provider", &["UndoPauseSeconds=1"]);
    let shop = Shop::open(&own.souk);
    for (path, kind, when, times, expected) in [
        // To begin a payment, to authorize it, to take the money: what the calls' paths hold.
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
        // Where the payment is voided, that goes unanswered twice.
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

/// A step's call that arrives after its undo: it takes nothing any more.
#[test]
fn what_comes_after_its_undo_takes_nothing() {
    let own = OwnInstance::start("e2e-late", &[]);
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
        // What was late has been carried out once no process of the function is busy.
        eventually("the late call has ended", || !own.is_busy(step));
        assert_eq!(shop.check(&id, before, step), "rejected");
    }
}

/// What an execution leaves that is stopped: held stock, held money, money that was not taken, or nothing at all.
#[test]
fn what_nobody_goes_on_with_is_swept_up() {
    let own = OwnInstance::start("e2e-sweep", &["SweepAfterSeconds=0"]);
    let shop = Shop::open(&own.souk);
    let souk = shop.souk;
    let hold = |step: &str| souk.put_faults(&json!([{"function": step, "kind": "hold", "id": "held"}]));
    let await_step = || eventually("the step is held", || souk.held("held") > 0);
    let abandon = |machine, id: &str| {
        // An execution that is under way is left alone.
        assert_eq!(souk.invoke("order-sweep", &json!({})), json!({"found": 1, "settled": 0}));
        souk.stop(machine, id);
        assert_eq!(souk.invoke("order-sweep", &json!({})), json!({"found": 1, "settled": 1}));
        assert_eq!(souk.invoke("order-sweep", &json!({})), json!({"found": 0, "settled": 0}));
        // The step that was held is carried out now, too late.
        souk.put_faults(&json!([]));
    };
    for (step, expected) in [
        ("stock-reserve", "rejected"),
        ("payment-authorize", "rejected"),
        ("order-confirm", "rejected"),
        ("payment-capture", "confirmed"),
    ] {
        let (key, before) = (unique(), stock(souk, &shop.jam));
        hold(step);
        let id = thread::scope(|scope| {
            let placing = scope.spawn(|| shop.place(&key));
            await_step();
            let id = shop.id(&key);
            abandon(PLACE, &id);
            placing.join().unwrap();
            id
        });
        eventually("the late step has ended", || !own.is_busy(step));
        assert_eq!(shop.check(&id, before, step), expected, "{step}");
    }
    for step in ["payment-void", "stock-release"] {
        let (key, before) = (unique(), stock(souk, &shop.jam));
        let placed = shop.place(&key);
        let id = shop.id(&key);
        eventually("the order is settled", || is_settled(souk, &id));
        hold(step);
        let path = format!("{}/cancellation", placed.header("location"));
        assert_eq!(souk.send(shop.buyer.call("POST", &path)).status, 200);
        await_step();
        abandon(CANCEL, &id);
        eventually("the late step has ended", || !own.is_busy(step));
        assert_eq!(shop.check(&id, before, step), "cancelled", "{step}");
    }
}

/// Whoever recorded an order died before starting the execution, and the customer never comes back.
#[test]
fn an_order_that_was_never_begun_is_swept_up() {
    let own = OwnInstance::start("e2e-unbegun", &["SweepAfterSeconds=0"]);
    let shop = Shop::open(&own.souk);
    let souk = shop.souk;
    let placed = shop.place(&unique());
    assert_eq!(placed.status, 201, "{placed:?}");
    let user = shop.buyer.id.parse().unwrap();
    let mut item = souk.item(&keys::order(user, placed.body["orderId"].as_str().unwrap().parse().unwrap()));
    // As it was recorded, under another id.
    let id = "019aa251-4760-7303-8303-030303030303";
    let (order, entry) = (keys::order(user, id.parse().unwrap()), keys::unsettled(id.parse().unwrap()));
    item["sk"]["S"] = json!(order.sk);
    item["orderId"]["S"] = json!(id);
    item["status"]["S"] = json!("pending");
    item.as_object_mut().unwrap().remove("payment");
    let entry = json!({"pk": {"S": entry.pk}, "sk": {"S": entry.sk}, "customerId": {"S": shop.buyer.id}});
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
