//! The payment provider: PaymentIntents with manual capture and refunds, as Stripe has them
//! (<https://docs.stripe.com/api/payment_intents>, <https://docs.stripe.com/api/idempotent_requests>).

use crate::{network::Answered, point::Fate, simulation::hash};
use serde_json::{Value, json};
use std::collections::{BTreeMap, HashMap};
use tests::webhook;

/// How long a response is stored under its idempotency key, in milliseconds. Stripe promises 24 hours at least; here it
/// is longer than a run, so that what only the end of a key mends is found.
const KEY_KEPT_MS: u64 = 30 * 24 * 60 * 60 * 1000;

/// A payment method that every bank declines.
pub const DECLINED: &str = "pm_card_chargeDeclined";

/// A request.
#[derive(Debug, Clone)]
pub struct Call {
    /// The method.
    pub method: String,
    /// The path after `/v1/`.
    pub path: String,
    /// The idempotency key.
    pub key: Option<String>,
    /// The members of the form and of the query.
    pub form: HashMap<String, String>,
}

/// The state of a payment.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Intent {
    /// The order that it belongs to.
    pub order: String,
    /// The customer.
    pub customer: String,
    /// The amount.
    pub amount: i64,
    /// `requires_payment_method`, `requires_capture`, `succeeded` or `canceled`.
    pub status: &'static str,
    /// The statuses of the refunds, each of the whole amount, oldest first.
    pub refunds: Vec<&'static str>,
    /// The status of the dispute, if there is one.
    pub dispute: Option<&'static str>,
    declined: bool,
}

/// The provider.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct Provider {
    intents: BTreeMap<String, Intent>,
    /// The stored responses, with the time of the first request.
    keys: BTreeMap<String, (u64, u16, Value)>,
    /// The events, oldest first.
    events: Vec<Value>,
}

impl Call {
    /// The payment that the call is about.
    pub fn payment(&self) -> String {
        match self.path.split('/').nth(1) {
            Some(id) => id.to_owned(),
            None => self.form.get("payment_intent").cloned().unwrap_or_else(|| self.new_id()),
        }
    }

    /// The id of the intent that this call creates. It depends on the key alone, and not on the order of calls.
    fn new_id(&self) -> String {
        format!("pi_{:016x}", hash(&self.key))
    }
}

impl Intent {
    /// What the customer has paid and did not get back.
    pub fn taken(&self) -> i64 {
        let given_back = self.refunds.contains(&"succeeded") || self.dispute == Some("lost");
        if self.status == "succeeded" && !given_back { self.amount } else { 0 }
    }

    /// Whether the bank holds the amount.
    pub fn is_held(&self) -> bool {
        self.status == "requires_capture"
    }
}

impl Provider {
    /// The payments of an order.
    pub fn of_order<'a>(&'a self, order: &'a str) -> impl Iterator<Item = &'a Intent> {
        self.intents.values().filter(move |intent| intent.order == order)
    }

    /// Whether any payment is held.
    pub fn holds(&self) -> bool {
        self.intents.values().any(Intent::is_held)
    }

    /// The id of a payment that is like this, if there is one.
    pub fn find(&self, is_like_this: impl Fn(&Intent) -> bool) -> Option<String> {
        self.intents.iter().find(|(_, intent)| is_like_this(intent)).map(|(id, _)| id.clone())
    }

    /// Lets the refund of a payment fail that was done.
    pub fn fail_refund(&mut self, payment: &str) {
        let refunds = &mut self.intents.get_mut(payment).expect("an intent").refunds;
        *refunds.last_mut().expect("a refund") = "failed";
    }

    /// Disputes a payment, or lets the bank decide.
    pub fn dispute(&mut self, payment: &str, status: &'static str) {
        self.intents.get_mut(payment).expect("an intent").dispute = Some(status);
    }

    /// Lists an event about a payment.
    pub fn list_event(&mut self, id: &str, kind: &str, payment: &str, now: u64) {
        let mut event = webhook::event(id, kind, payment);
        event["created"] = json!(now / 1000);
        self.events.push(event);
    }

    /// Cancels a payment that is held, if there is one, as the provider does when the hold lapses.
    pub fn lapse(&mut self) {
        if let Some(held) = self.intents.values_mut().find(|intent| intent.is_held()) {
            held.status = "canceled";
        }
    }

    /// Answers a call.
    pub fn answer(&mut self, call: &Call, now: u64) -> Answered {
        let Some(key) = &call.key else {
            let (status, body) = self.carry_out(call);
            return Answered { status, replayed: false, body };
        };
        if let Some((at, status, body)) = self.keys.get(key)
            && now < at + KEY_KEPT_MS
        {
            return Answered { status: *status, replayed: true, body: body.clone() };
        }
        let (status, body) = self.carry_out(call);
        self.keys.insert(key.clone(), (now, status, body.clone()));
        Answered { status, replayed: false, body }
    }

    /// Answers a call with a fault. A 500 is stored under the call's key.
    pub fn refuse(&mut self, call: &Call, fate: Fate, now: u64) -> Answered {
        let status = match fate {
            Fate::Throttle => 429,
            Fate::Conflict => 409,
            _ => 500,
        };
        let body = json!({"error": {"type": "api_error"}});
        if let (500, Some(key)) = (status, &call.key) {
            if let Some((at, status, body)) = self.keys.get(key)
                && now < at + KEY_KEPT_MS
            {
                return Answered { status: *status, replayed: true, body: body.clone() };
            }
            self.keys.insert(key.clone(), (now, status, body.clone()));
        }
        Answered { status, replayed: false, body }
    }

    fn carry_out(&mut self, call: &Call) -> (u16, Value) {
        let path: Vec<&str> = call.path.split('/').collect();
        match (call.method.as_str(), path.as_slice()) {
            ("POST", ["payment_intents"]) => self.create(call),
            ("GET", ["payment_intents", id]) => self.shown(id),
            ("POST", ["payment_intents", id, "confirm"]) => self.confirm(id, &call.form["payment_method"]),
            ("POST", ["payment_intents", id, "capture"]) => {
                self.change(id, |status| status == "requires_capture", "succeeded")
            }
            ("POST", ["payment_intents", id, "cancel"]) => {
                self.change(id, |status| status.starts_with("requires_"), "canceled")
            }
            ("POST", ["refunds"]) => self.refund(&call.form["payment_intent"]),
            ("GET", ["refunds"]) => self.refunds(&call.form["payment_intent"]),
            ("GET", ["disputes"]) => self.disputes(&call.form["payment_intent"]),
            ("GET", ["events"]) => self.page_of_events(&call.form),
            _ => panic!("the provider has no {} {}", call.method, call.path),
        }
    }

    fn create(&mut self, call: &Call) -> (u16, Value) {
        let id = call.new_id();
        let intent = Intent {
            order: call.form["metadata[order_id]"].clone(),
            amount: call.form["amount"].parse().unwrap(),
            status: "requires_payment_method",
            customer: call.form["metadata[customer_id]"].clone(),
            refunds: Vec::new(),
            dispute: None,
            declined: false,
        };
        self.intents.insert(id.clone(), intent);
        self.shown(&id)
    }

    fn confirm(&mut self, id: &str, method: &str) -> (u16, Value) {
        let intent = self.intents.get_mut(id).expect("an intent");
        if intent.status != "requires_payment_method" {
            return unexpected_state();
        }
        if method == DECLINED {
            intent.declined = true;
            return (402, json!({"error": decline()}));
        }
        intent.status = "requires_capture";
        self.shown(id)
    }

    fn change(&mut self, id: &str, from: impl Fn(&str) -> bool, to: &'static str) -> (u16, Value) {
        let intent = self.intents.get_mut(id).expect("an intent");
        if !from(intent.status) {
            return unexpected_state();
        }
        intent.status = to;
        self.shown(id)
    }

    fn refund(&mut self, id: &str) -> (u16, Value) {
        let intent = self.intents.get_mut(id).expect("an intent");
        if intent.status != "succeeded" {
            return unexpected_state();
        }
        if intent.refunds.iter().any(|status| *status != "failed") {
            return (400, json!({"error": {"code": "charge_already_refunded"}}));
        }
        if intent.dispute.is_some_and(|status| status != "won") {
            return (400, json!({"error": {"code": "charge_disputed"}}));
        }
        intent.refunds.push("succeeded");
        (200, shown_refund(id, intent.refunds.len(), "succeeded"))
    }

    fn refunds(&self, id: &str) -> (u16, Value) {
        let refunds = self.intents.get(id).map(|intent| intent.refunds.clone()).unwrap_or_default();
        let shown = (1..).zip(refunds).map(|(number, status)| shown_refund(id, number, status));
        (200, json!({"data": shown.collect::<Vec<_>>()}))
    }

    fn disputes(&self, id: &str) -> (u16, Value) {
        let status = self.intents.get(id).and_then(|intent| intent.dispute);
        (200, json!({"data": status.map(|status| json!({"status": status})).into_iter().collect::<Vec<_>>()}))
    }

    /// A page of one event, so that a period has several.
    fn page_of_events(&self, query: &HashMap<String, String>) -> (u16, Value) {
        let number = |name: &str| query[name].parse::<u64>().expect("a time");
        let created = number("created[gte]")..number("created[lt]");
        let in_period = |event: &&Value| created.contains(&event["created"].as_u64().expect("a time"));
        let listed: Vec<&Value> = self.events.iter().rev().filter(in_period).collect();
        let after = query.get("starting_after");
        let begin = after.map_or(0, |after| {
            1 + listed.iter().position(|event| event["id"] == **after).expect("an event of the period")
        });
        let page = listed.get(begin).into_iter().collect::<Vec<_>>();
        (200, json!({"has_more": begin + page.len() < listed.len(), "data": page}))
    }

    fn shown(&self, id: &str) -> (u16, Value) {
        let Some(intent) = self.intents.get(id) else {
            return (404, json!({"error": {"code": "resource_missing"}}));
        };
        let error = if intent.declined { decline() } else { Value::Null };
        let metadata = json!({"order_id": intent.order, "customer_id": intent.customer});
        (200, json!({"id": id, "status": intent.status, "last_payment_error": error, "metadata": metadata}))
    }
}

fn shown_refund(id: &str, number: usize, status: &str) -> Value {
    json!({"id": format!("re_{id}_{number}"), "status": status})
}

fn decline() -> Value {
    json!({"type": "card_error", "code": "card_declined", "decline_code": "generic_decline"})
}

fn unexpected_state() -> (u16, Value) {
    (400, json!({"error": {"code": "payment_intent_unexpected_state"}}))
}
