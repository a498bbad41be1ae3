//! Orders: customers place and cancel, the sweep runs, a hold may lapse.

use crate::{
    api::{self, Call},
    chance,
    lambda::Event,
    provider,
    run::Scenario,
    simulation::{SWEEP_AFTER_SECONDS, Simulation},
};
use domain::id::{OrderId, UserId};
use serde_json::{Value, json};
use std::collections::{HashMap, HashSet};
use table::keys;
use tests::{
    items,
    samples::{STOCK, product, product_id, user_id},
    webhook,
};

const PRICE: i64 = 650;
const SELLER: u32 = 7;
const ALICE: u32 = 1;
const BOB: u32 = 2;
/// A customer who waits for the result.
const CAROL: u32 = 3;

/// How often the provider sends an event that is not taken, and polls look for one. Stripe repeats it for three days.
const TRIES_OF_EVENTS: usize = 50;

/// Two customers order and may cancel, with faults and sweeps. A hold may lapse, a refund that was done may fail, and a
/// payment may be disputed.
pub const RANDOM: Scenario = Scenario {
    name: "orders",
    start,
    sweeps: &["order-sweep"],
    is_unfinished: is_unsettled,
    check,
    reaches: &[
        "invoke order-undo",
        "/capture",
        "POST refunds",
        "the hold lapses",
        "the refund fails",
        "the dispute is lost",
        "order-sweep",
        "reads an earlier state",
        "invoke payment-capture: is carried out, and the sender crashes",
        "GET events",
    ],
};

/// Two customers order, one of them cancels, and a sweep runs.
pub const TWO_CUSTOMERS: Scenario = Scenario {
    name: "two-customers",
    start: start_two_customers,
    sweeps: &["order-sweep"],
    is_unfinished: is_unsettled,
    check,
    reaches: &[],
};

/// One customer orders and cancels, and a sweep runs.
pub const ONE_CUSTOMER: Scenario = Scenario {
    name: "one-customer",
    start: |simulation, _| {
        sell(simulation);
        start_alice(simulation);
        start_sweep(simulation);
    },
    ..TWO_CUSTOMERS
};

/// A customer repeats a request at the same time, so that two executions of one order run, and cancels the order.
pub const TWICE: Scenario = Scenario {
    name: "twice",
    start: |simulation, _| start_twice(simulation, "pm_card_visa"),
    sweeps: &["order-sweep"],
    is_unfinished: is_unsettled,
    check: check_without_faults,
    reaches: &[],
};

/// The same with a card that is declined.
pub const TWICE_DECLINED: Scenario = Scenario {
    name: "twice-declined",
    start: |simulation, _| start_twice(simulation, provider::DECLINED),
    ..TWICE
};

/// The same with a sweep, which does not wait until the executions must have ended.
pub const TWICE_DECLINED_AND_SWEPT: Scenario = Scenario {
    name: "declined-and-swept",
    start: |simulation, _| {
        start_twice(simulation, provider::DECLINED);
        start_sweep(simulation);
    },
    check,
    ..TWICE
};

fn start(simulation: &Simulation, mut variation: u64) {
    sell(simulation);
    let news = if variation.is_multiple_of(5) { News::Polled } else { News::Told };
    let mut one_in = move |of: u64| chance::next(&mut variation).is_multiple_of(of);
    for (name, customer) in [("alice", ALICE), ("carol", CAROL)] {
        let quantity = if one_in(2) { 2 } else { 1 };
        let card = if one_in(5) { provider::DECLINED } else { "pm_card_visa" };
        let (cancels, repeats) = (one_in(2), one_in(2));
        if repeats {
            simulation.client("again", move |simulation| async move {
                place(&simulation, customer, quantity, card).await;
            });
        }
        simulation.client(name, move |simulation| async move {
            let Some(order) = place(&simulation, customer, quantity, card).await else { return };
            if cancels {
                cancel(&simulation, customer, order).await;
            }
        });
    }
    let sweeps = if one_in(2) { 2 } else { 0 };
    simulation.client("schedule", move |simulation| async move {
        for _ in 0..sweeps {
            simulation.wait_ms((SWEEP_AFTER_SECONDS + 30) * 1000).await;
            simulation.invoke("order-sweep", Event::Step(json!({}))).await;
        }
    });
    if one_in(4) {
        simulation.client("bank", |simulation| async move {
            let held = |simulation: &Simulation| simulation.provider(|provider, _| provider.holds());
            simulation.until("a payment is held", Vec::new(), held).await;
            let lapse = |simulation: &Simulation| simulation.provider(|provider, _| provider.lapse());
            simulation.outside("the hold lapses", lapse).await;
        });
    }
    if one_in(4) {
        start_failing_refund(simulation, news);
    }
    if one_in(4) {
        let decision = if one_in(2) { "won" } else { "lost" };
        start_dispute(simulation, (!one_in(3)).then_some(decision), news);
    }
}

/// How functions learn of the provider's events.
#[derive(Clone, Copy)]
enum News {
    /// The webhook brings them.
    Told,
    /// No webhook is registered, and polls find them.
    Polled,
}

/// A refund that was done fails.
fn start_failing_refund(simulation: &Simulation, news: News) {
    simulation.client("refunding bank", move |simulation| async move {
        let refunded = |simulation: &Simulation| {
            simulation.provider(|provider, _| provider.find(|intent| intent.refunds.contains(&"succeeded")))
        };
        let done = move |simulation: &Simulation| refunded(simulation).is_some();
        simulation.until("a refund is done", Vec::new(), done).await;
        let payment = refunded(&simulation).expect("a refund");
        let failed = payment.clone();
        let fail = move |simulation: &Simulation| {
            simulation.provider(|provider, _| provider.fail_refund(&failed));
        };
        simulation.outside("the refund fails", fail).await;
        news.spread(&simulation, "evt_refund", "refund.failed", &payment).await;
    });
}

/// A customer disputes a payment, and the bank may decide. The events of both come in any order.
fn start_dispute(simulation: &Simulation, decision: Option<&'static str>, news: News) {
    for (name, before, after, event, kind) in [
        ("disputing customer", None, Some("needs_response"), "evt_open", "charge.dispute.created"),
        ("deciding bank", Some("needs_response"), decision, "evt_closed", "charge.dispute.closed"),
    ] {
        let Some(after) = after else { continue };
        simulation.client(name, move |simulation| async move {
            let found = move |simulation: &Simulation| {
                simulation.provider(|provider, _| {
                    provider.find(|intent| intent.status == "succeeded" && intent.dispute == before)
                })
            };
            let is_found = move |simulation: &Simulation| found(simulation).is_some();
            simulation.until("a payment can be disputed", Vec::new(), is_found).await;
            let payment = found(&simulation).expect("a payment");
            let disputed = payment.clone();
            let change = move |simulation: &Simulation| {
                simulation.provider(|provider, _| provider.dispute(&disputed, after));
            };
            simulation.outside(&format!("the dispute is {after}"), change).await;
            news.spread(&simulation, event, kind, &payment).await;
        });
    }
}

impl News {
    /// Lets functions learn of an event.
    async fn spread(self, simulation: &Simulation, id: &str, kind: &str, payment: &str) {
        simulation.provider(|provider, now| provider.list_event(id, kind, payment, now));
        match self {
            Self::Told => tell(simulation, id, kind, payment).await,
            Self::Polled => poll_for(simulation, id).await,
        }
    }
}

/// Polls until an event is processed.
async fn poll_for(simulation: &Simulation, id: &str) {
    for _ in 0..TRIES_OF_EVENTS {
        simulation.wait_ms((SWEEP_AFTER_SECONDS + 30) * 1000).await;
        simulation.invoke("payment-poll", Event::Step(json!({}))).await;
        if !simulation.world().item(&keys::webhook_event(id)).is_null() {
            return;
        }
    }
}

/// Sends an event until it is taken.
async fn tell(simulation: &Simulation, id: &str, kind: &str, payment: &str) {
    let body = webhook::event(id, kind, payment);
    for _ in 0..TRIES_OF_EVENTS {
        let sent_at = simulation.local_time().unix_seconds();
        let signature = webhook::signature(body.to_string().as_bytes(), sent_at);
        let call = Call { body: body.clone(), ..Call::signed("payment-webhook", signature) };
        if api::answered(simulation, &call).await.is_some_and(|told| told.status < 300) {
            return;
        }
        simulation.wait_ms(1_000).await;
    }
}

fn start_two_customers(simulation: &Simulation, _: u64) {
    sell(simulation);
    start_alice(simulation);
    simulation.client("bob", |simulation| async move {
        place(&simulation, BOB, 2, "pm_card_visa").await;
    });
    start_sweep(simulation);
}

/// Alice places an order and cancels it.
fn start_alice(simulation: &Simulation) {
    simulation.client("alice", |simulation| async move {
        if let Some(order) = place(&simulation, ALICE, 2, "pm_card_visa").await {
            cancel(&simulation, ALICE, order).await;
        }
    });
}

fn start_sweep(simulation: &Simulation) {
    simulation.client("schedule", |simulation| async move {
        simulation.invoke("order-sweep", Event::Step(json!({}))).await;
    });
}

fn start_twice(simulation: &Simulation, card: &'static str) {
    sell(simulation);
    simulation.client("bob", move |simulation| async move {
        let Some(order) = place(&simulation, BOB, 2, card).await else { return };
        cancel(&simulation, BOB, order).await;
    });
    simulation.client("bob again", move |simulation| async move {
        place(&simulation, BOB, 2, card).await;
    });
}

/// Publishes the product.
fn sell(simulation: &Simulation) {
    simulation.world().import(items::of_product(&product(1, SELLER), 0));
}

/// Places an order, and repeats the request until it is answered.
async fn place(simulation: &Simulation, customer: u32, quantity: i64, card: &str) -> Option<OrderId> {
    let line = json!({"productId": product_id(1), "quantity": quantity});
    let total = json!({"amount": PRICE * quantity, "currency": "SGD"});
    let body = json!({"lines": [line], "expectedTotal": total, "paymentMethod": card});
    let told =
        api::call_or(simulation, &Call { body, ..request("order-place", customer) }, &[409, 422]).await?;
    told.body["orderId"].as_str().and_then(|id| id.parse().ok())
}

/// A request of a customer. Carol waits for the result.
fn request(function: &'static str, customer: u32) -> Call {
    Call { waits: customer == CAROL, ..Call::to(function, customer) }
}

/// Cancels an order once it is confirmed, and repeats the request until it is answered.
async fn cancel(simulation: &Simulation, customer: u32, order: OrderId) {
    let decided = move |simulation: &Simulation| status(simulation, user_id(customer), order) != "pending";
    let of_order = keys::order(user_id(customer), order).pk;
    simulation.until("the order is decided", vec![of_order], decided).await;
    let path = vec![("orderId", order.to_string())];
    api::call_or(simulation, &Call { path, ..request("order-cancel", customer) }, &[409]).await;
}

fn status(simulation: &Simulation, customer: UserId, order: OrderId) -> String {
    let item = simulation.world().item(&keys::order(customer, order));
    item["status"]["S"].as_str().unwrap_or_default().to_owned()
}

fn is_unsettled(item: &Value) -> bool {
    item["pk"]["S"].as_str().is_some_and(|pk| pk.starts_with("UNSETTLED#"))
}

/// An order as the table has it.
struct Found {
    id: String,
    status: String,
    quantity: i64,
    total: i64,
    refund: Option<String>,
    dispute: Option<String>,
}

fn check(simulation: &Simulation) -> Vec<String> {
    let number = |value: &Value| value["N"].as_str().and_then(|text| text.parse::<i64>().ok()).unwrap_or(-1);
    let mut wrong = Vec::new();
    let (mut orders, mut left, mut entries) = (Vec::new(), HashMap::new(), Vec::new());
    let mut bought = HashSet::new();
    for item in simulation.world().items() {
        let (pk, sk) = (item["pk"]["S"].as_str().unwrap(), item["sk"]["S"].as_str().unwrap());
        if let Some(id) = sk.strip_prefix("ORDER#") {
            let quantities =
                item["lines"]["L"].as_array().unwrap().iter().map(|line| number(&line["M"]["quantity"]));
            orders.push(Found {
                id: id.to_owned(),
                status: item["status"]["S"].as_str().unwrap().to_owned(),
                quantity: quantities.sum(),
                total: number(&item["total"]["M"]["amount"]),
                refund: item["refund"]["S"].as_str().map(str::to_owned),
                dispute: item["dispute"]["S"].as_str().map(str::to_owned),
            });
        } else if pk.starts_with("BOUGHT#") && item["revoked"].is_null() {
            bought.insert(sk.split_once('#').unwrap().1.to_owned());
        } else if is_unsettled(&item) {
            entries.push((sk.to_owned(), item["reserved"].is_null()));
        } else if sk == keys::stock(product_id(1)).sk {
            left.insert(pk.to_owned(), number(&item["stock"]));
        }
    }
    let left: i64 = left.values().sum();
    let sold: i64 =
        orders.iter().filter(|order| order.status == "confirmed").map(|order| order.quantity).sum();
    if sold + left != STOCK {
        wrong.push(format!("{sold} are sold and {left} are left of {STOCK}"));
    }
    simulation.provider(|provider, _| {
        for Found { id, status, total, refund, dispute, .. } in &orders {
            let taken: i64 = provider.of_order(id).map(provider::Intent::taken).sum();
            let decided =
                provider.of_order(id).find_map(|intent| intent.dispute).map(|status| match status {
                    "won" => "declined",
                    "lost" => "accepted",
                    _ => "open",
                });
            // While the bank has not decided, the money is not given back, the order says so, and it has an entry.
            let waits = status != "confirmed" && taken > 0 && decided == Some("open");
            let stands = status == "confirmed" && decided != Some("accepted");
            let due = if stands || waits { *total } else { 0 };
            if dispute.as_deref() != decided {
                wrong.push(format!("order {id} says of its dispute {dispute:?} instead of {decided:?}"));
            }
            if refund.as_deref() != waits.then_some("failed") {
                wrong.push(format!("order {id} is {status}, and says of its refund {refund:?}"));
            }
            match entries.iter().find(|(of, _)| of == id) {
                None if waits => wrong.push(format!("order {id} waits for its refund and has no entry")),
                Some((_, false)) if waits => wrong.push(format!("order {id} waits and holds its stock")),
                Some(_) if !waits => wrong.push(format!("order {id} is {status}, and left unsettled")),
                _ => {}
            }
            if taken != due {
                wrong.push(format!("order {id} is {status}, and {taken} of {due} are taken"));
            }
            if bought.contains(id) != (status == "confirmed") {
                wrong.push(format!("order {id} is {status}, and its purchase says the opposite"));
            }
            if status == "pending" {
                wrong.push(format!("order {id} is still pending"));
            }
            if provider.of_order(id).any(provider::Intent::is_held) {
                wrong.push(format!("order {id} is {status}, and its payment is still held"));
            }
        }
    });
    wrong
}

/// As [`check`], where nothing fails on our side: no execution fails, and no order is rejected for that reason.
fn check_without_faults(simulation: &Simulation) -> Vec<String> {
    let mut wrong = check(simulation);
    for (name, status) in simulation.executions().iter() {
        if *status == "FAILED" {
            wrong.push(format!("{name} has failed"));
        }
    }
    for item in simulation.world().items() {
        if item["sk"]["S"].as_str().is_some_and(|sk| sk.starts_with("ORDER#"))
            && item["reason"]["M"]["code"]["S"] == "failed"
        {
            wrong.push(format!("an order is rejected for {}", item["reason"]));
        }
    }
    wrong
}

#[test]
fn the_same_seed_gives_the_same_trace() {
    for seed in 1..=20 {
        let (one, other) = (RANDOM.of_seed(seed), RANDOM.of_seed(seed));
        assert_eq!(one.trace, other.trace);
        assert_eq!(one.wrong, other.wrong);
    }
}

#[test]
fn stock_and_money_agree_with_every_order() {
    RANDOM.assert_holds(400);
}

#[test]
fn two_customers_and_a_sweep_in_every_order() {
    TWO_CUSTOMERS.assert_holds_in_every_order(Some(3), 0);
}

#[test]
fn two_executions_of_one_order_in_every_order() {
    TWICE.assert_holds_in_every_order(Some(3), 0);
}

#[test]
fn two_executions_of_a_declined_order_in_every_order() {
    TWICE_DECLINED.assert_holds_in_every_order(Some(3), 0);
    TWICE_DECLINED_AND_SWEPT.assert_holds_in_every_order(Some(2), 0);
}
