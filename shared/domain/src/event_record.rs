//! Records of the event stream: what is published of visitors' events and of orders, for those who count.
//!
//! A record is JSON. The same event has the same id in each repeat of its record, so that it counts once.

use crate::{
    currency::Currency,
    event::{EXPOSURE, VisitorEvent},
    id::{OrderId, ProductId, UserId},
    money::Money,
    order::OrderStatus,
    probe::Probe,
    timestamp::{self, Timestamp},
};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use uuid::Uuid;

/// The namespace of the ids of purchases and cancellations.
const ORDER_LINES: Uuid = Uuid::from_u128(0x019a_a251_4760_7e1d_9b57_5c1f_0d0c_6a03);

/// The name of the event of a purchase, as in Segment's specification of e-commerce events.
pub const ORDER_COMPLETED: &str = "Order Completed";
/// The name of the event of a cancellation, as in the same specification.
pub const ORDER_CANCELLED: &str = "Order Cancelled";
/// The name of the event of a probe.
const PROBE: &str = "Probe";

/// What a record tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum EventKind {
    /// A client has told it, and nothing of it is checked.
    Event,
    /// A client has told that a visitor saw a variation of an experiment.
    Exposure,
    /// A line of an order was sold.
    Purchase,
    /// The sale of a line was undone: the customer cancelled the order, or its payment failed.
    Cancellation,
    /// We published it, to see how long the way takes.
    Probe,
}

/// A record.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct EventRecord {
    /// The same in each repeat of the record.
    pub id: Uuid,
    /// What it tells.
    pub kind: EventKind,
    /// The event's name.
    pub event: String,
    /// Who did it. For an order whose visitor is not known, the id of the customer.
    pub visitor: String,
    /// The customer of an order.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<UserId>,
    /// The experiment: the event's property `experimentId`, or that of the order's line.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub experiment: Option<String>,
    /// The variant: the event's property `variationId`, or that of the order's line.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub variant: Option<String>,
    /// The product: the event's property `productId`, or that of the order's line.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub product: Option<String>,
    /// The order.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub order: Option<OrderId>,
    /// How many units were sold; negative for a cancellation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quantity: Option<i64>,
    /// For how much, in minor units of the currency; negative for a cancellation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub amount: Option<i64>,
    /// The currency of the amount.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub currency: Option<Currency>,
    /// Whether a program did it, not a person.
    #[serde(default)]
    pub bot: bool,
    /// When it happened: milliseconds since 1970, UTC.
    #[serde(with = "timestamp::milliseconds")]
    pub at: Timestamp,
    /// When we learned of it: milliseconds since 1970, UTC.
    #[serde(with = "timestamp::milliseconds")]
    pub received_at: Timestamp,
    /// What else the client said about it.
    #[serde(default)]
    pub properties: Map<String, Value>,
}

impl EventRecord {
    /// A record with what each has.
    fn new(
        id: Uuid,
        kind: EventKind,
        event: &str,
        visitor: String,
        at: Timestamp,
        received_at: Timestamp,
    ) -> Self {
        Self {
            id,
            kind,
            event: event.to_owned(),
            visitor,
            user: None,
            experiment: None,
            variant: None,
            product: None,
            order: None,
            quantity: None,
            amount: None,
            currency: None,
            bot: false,
            at,
            received_at,
            properties: Map::new(),
        }
    }

    /// The record of a probe with this id, sent at this time. It belongs to no experiment, and to a visitor of probes.
    pub fn probe(id: Uuid, at: Timestamp) -> Self {
        Self::new(id, EventKind::Probe, PROBE, Probe { id, at }.visitor(), at, at)
    }

    /// The records of an order's lines after this change of its status, at this time. None for a change that sells
    /// nothing and takes no sale back.
    pub fn of_order(order: &SoldOrder, old: Option<OrderStatus>, at: Timestamp) -> Vec<Self> {
        let (kind, sign) = match order.status {
            status if Some(status) == old => return Vec::new(),
            OrderStatus::Pending | OrderStatus::Rejected => return Vec::new(),
            OrderStatus::Confirmed => (EventKind::Purchase, 1),
            OrderStatus::Cancelled | OrderStatus::PaymentFailed => (EventKind::Cancellation, -1),
        };
        let lines = order.lines.iter().enumerate();
        lines.map(|(index, line)| Self::of_line(order, (index, line), kind, sign, at)).collect()
    }

    fn of_line(
        order: &SoldOrder,
        (index, line): (usize, &SoldLine),
        kind: EventKind,
        sign: i64,
        at: Timestamp,
    ) -> Self {
        // The visitor decided when the order was placed; how long its confirmation took says nothing about them. The stream rounds
        // its times down to seconds, so that a confirmation may seem to come before its order.
        let (name, happened) = match kind {
            EventKind::Purchase => (ORDER_COMPLETED, order.created_at),
            _ => (ORDER_CANCELLED, at),
        };
        let id = Uuid::new_v5(&ORDER_LINES, format!("{}\n{index}\n{name}", order.order_id).as_bytes());
        let visitor = order.visitor_id.clone().unwrap_or_else(|| order.customer_id.to_string());
        let seen = line.experiment.clone();
        Self {
            user: Some(order.customer_id),
            experiment: seen.as_ref().map(|seen| seen.experiment_id.clone()),
            variant: seen.map(|seen| seen.variant),
            product: Some(line.product_id.to_string()),
            order: Some(order.order_id),
            quantity: Some(sign * line.quantity),
            amount: Some(sign * line.line_total.amount),
            currency: Some(line.line_total.currency),
            ..Self::new(id, kind, name, visitor, happened, at.max(happened))
        }
    }
}

impl From<VisitorEvent> for EventRecord {
    fn from(told: VisitorEvent) -> Self {
        let VisitorEvent { id, name, visitor, at, received_at, from_future, bot, properties } = told;
        // An exposure that has not happened yet counts for nobody.
        let is_exposure = name.as_str() == EXPOSURE && !from_future;
        let kind = if is_exposure { EventKind::Exposure } else { EventKind::Event };
        let text = |name: &str| properties.get(name).and_then(Value::as_str).map(str::to_owned);
        let (experiment, variant, product) = (text("experimentId"), text("variationId"), text("productId"));
        let visitor = visitor.as_str().to_owned();
        let record = Self::new(id, kind, name.as_str(), visitor, at, received_at);
        Self { experiment, variant, product, bot, properties, ..record }
    }
}

/// What is read of an order to tell of its sale.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SoldOrder {
    /// The id.
    pub order_id: OrderId,
    /// The customer.
    pub customer_id: UserId,
    /// Who the customer is in the events of visitors, if that is known.
    pub visitor_id: Option<String>,
    /// The status.
    pub status: OrderStatus,
    /// The ordered products.
    pub lines: Vec<SoldLine>,
    /// When it was placed.
    pub created_at: Timestamp,
}

/// A line of a [`SoldOrder`].
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SoldLine {
    /// The product.
    pub product_id: ProductId,
    /// The quantity.
    pub quantity: i64,
    /// The price of all units.
    pub line_total: Money,
    /// The experiment from which the customer had the price, if there was one.
    pub experiment: Option<SeenVariant>,
}

/// The variant of an experiment that a customer saw.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SeenVariant {
    /// The experiment.
    pub experiment_id: String,
    /// The variant.
    pub variant: String,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{event_batch::EventUpload, input::Input};
    use serde_json::json;

    /// 2026-11-21T08:00:00.000Z.
    const MORNING: u64 = 1_795_248_000_000;
    const ORDER: &str = "019aa251-4760-7404-8404-040404040404";
    const CUSTOMER: &str = "019aa251-4760-7101-8101-010101010101";
    const PRODUCT: &str = "019aa251-4760-7202-8202-020202020202";

    fn at(milliseconds: u64) -> Timestamp {
        Timestamp::from_unix_milliseconds(milliseconds)
    }

    fn told(name: &str, properties: &Value) -> EventRecord {
        let event = json!({"type": "track", "event": name, "anonymousId": "a", "messageId": "m",
            "timestamp": at(MORNING), "properties": properties});
        let batch = EventUpload::from_json(json!({"batch": [event]})).unwrap();
        let batch = batch.received(at(MORNING + 7)).unwrap();
        batch.events().next().unwrap().into()
    }

    fn order(change: &Value) -> SoldOrder {
        let mut order = json!({
            "orderId": ORDER, "customerId": CUSTOMER, "status": "confirmed", "createdAt": at(MORNING), "version": 2,
            "visitorId": "a", "total": {"amount": 2600, "currency": "SGD"},
            "lines": [
                {"productId": PRODUCT, "name": "Pot", "quantity": 2, "unitPrice": {"amount": 1000, "currency": "SGD"},
                 "lineTotal": {"amount": 2000, "currency": "SGD"}, "experiment": {"experimentId": "e", "variant": "b"}},
                {"productId": PRODUCT, "name": "Pot", "quantity": 1, "unitPrice": {"amount": 600, "currency": "SGD"},
                 "lineTotal": {"amount": 600, "currency": "SGD"}},
            ],
        });
        crate::input::merge(&mut order, change.clone());
        serde_json::from_value(order).unwrap()
    }

    #[test]
    fn a_record_names_its_fields_as_its_readers_do() {
        let record =
            told(EXPOSURE, &json!({"experimentId": "e", "variationId": "b", "productId": PRODUCT, "n": 1}));
        let written = serde_json::to_value(&record).unwrap();
        assert_eq!(
            written,
            json!({
                "id": record.id.to_string(), "kind": "exposure", "event": EXPOSURE, "visitor": "a", "experiment": "e",
                "variant": "b", "product": PRODUCT, "bot": false, "at": MORNING, "receivedAt": MORNING + 7,
                "properties": {"experimentId": "e", "variationId": "b", "productId": PRODUCT, "n": 1},
            })
        );
        assert_eq!(serde_json::from_value::<EventRecord>(written).unwrap(), record);
    }

    #[test]
    fn only_experiment_viewed_is_an_exposure_and_no_client_tells_of_a_purchase() {
        let names = [EXPOSURE, ORDER_COMPLETED, ORDER_CANCELLED, PROBE, "experiment viewed"];
        let properties = json!({"experimentId": "e", "variationId": "b"});
        let kinds = names.map(|name| told(name, &properties).kind);
        let event = EventKind::Event;
        assert_eq!(kinds, [EventKind::Exposure, event, event, event, event]);
    }

    #[test]
    fn an_exposure_from_the_future_is_none_and_programs_are_marked() {
        let record = |ahead_ms: u64, bot: bool| {
            let properties = json!({"experimentId": "e", "variationId": "b"});
            let event = json!({"type": "track", "event": EXPOSURE, "anonymousId": "a", "timestamp": at(MORNING + ahead_ms),
                "properties": properties});
            let batch = EventUpload::from_json(json!({"batch": [event]})).unwrap();
            let batch = batch.received(at(MORNING)).unwrap().from_bot(bot);
            EventRecord::from(batch.events().next().unwrap())
        };
        assert_eq!((record(0, false).kind, record(0, false).bot), (EventKind::Exposure, false));
        assert_eq!((record(0, true).kind, record(0, true).bot), (EventKind::Exposure, true));
        assert_eq!(record(600_000, false).kind, EventKind::Event);
    }

    #[test]
    fn properties_that_are_no_texts_name_nothing() {
        let record = told("Seen", &json!({"experimentId": 7, "productId": {"id": "p"}}));
        assert_eq!((record.experiment, record.product), (None, None));
    }

    #[test]
    fn a_confirmed_order_is_a_purchase_for_each_line() {
        let records =
            EventRecord::of_order(&order(&json!({})), Some(OrderStatus::Pending), at(MORNING + 900));
        let [first, second] = &records[..] else { panic!("{records:?}") };
        let written = serde_json::to_value(first).unwrap();
        assert_eq!(
            written,
            json!({
                // Written down: another id would count stored purchases again.
                "id": "9d45ac02-d568-5c1e-a811-a0a04348eafc", "kind": "purchase",
                "event": ORDER_COMPLETED, "visitor": "a", "user": CUSTOMER, "experiment": "e", "variant": "b",
                "product": PRODUCT, "order": ORDER, "quantity": 2, "amount": 2000, "currency": "SGD", "bot": false,
                "at": MORNING, "receivedAt": MORNING + 900, "properties": {},
            })
        );
        assert_eq!((second.experiment.as_ref(), second.amount), (None, Some(600)));
        assert_ne!(first.id, second.id);
    }

    #[test]
    fn a_stream_whose_times_are_whole_seconds_does_not_move_an_order_before_an_exposure() {
        let placed = at(MORNING + 999);
        let order = order(&json!({"createdAt": placed}));
        let records = EventRecord::of_order(&order, Some(OrderStatus::Pending), at(MORNING));
        assert!(records.iter().all(|record| (record.at, record.received_at) == (placed, placed)));
    }

    #[test]
    fn a_cancelled_order_takes_its_purchases_back() {
        let sum = |records: Vec<EventRecord>| records.iter().filter_map(|record| record.amount).sum::<i64>();
        let ids = |records: &[EventRecord]| records.iter().map(|record| record.id).collect::<Vec<_>>();
        let bought = EventRecord::of_order(&order(&json!({})), Some(OrderStatus::Pending), at(MORNING + 900));
        for status in ["cancelled", "paymentFailed"] {
            let order = order(&json!({"status": status}));
            let back = EventRecord::of_order(&order, Some(OrderStatus::Confirmed), at(MORNING + 5000));
            assert!(back.iter().all(|record| record.kind == EventKind::Cancellation), "{back:?}");
            assert!(back.iter().all(|record| record.at == at(MORNING + 5000)), "{back:?}");
            assert!(ids(&back).iter().all(|id| !ids(&bought).contains(id)));
            assert_eq!(sum(bought.clone()) + sum(back), 0);
        }
    }

    #[test]
    fn other_changes_of_an_order_tell_nothing() {
        for (status, old) in [
            ("pending", None),
            ("rejected", Some(OrderStatus::Pending)),
            ("confirmed", Some(OrderStatus::Confirmed)),
            ("cancelled", Some(OrderStatus::Cancelled)),
        ] {
            let order = order(&json!({"status": status}));
            assert_eq!(EventRecord::of_order(&order, old, at(MORNING)), [], "{status}");
        }
    }

    #[test]
    fn the_customer_stands_for_a_visitor_who_is_not_known() {
        let order = order(&json!({"visitorId": null}));
        let records = EventRecord::of_order(&order, Some(OrderStatus::Pending), at(MORNING));
        assert!(records.iter().all(|record| record.visitor == CUSTOMER));
    }

    #[test]
    fn a_probe_belongs_to_no_experiment() {
        let id = Uuid::from_u128(7);
        let record = EventRecord::probe(id, at(MORNING));
        assert_eq!((record.kind, record.id, record.visitor.as_str()), (EventKind::Probe, id, "probe-7"));
        assert_eq!((record.at, record.user, record.experiment), (at(MORNING), None, None));
    }
}
