//! Events of visitors, in the form in which clients of Segment's tracking API send them.

use crate::{
    Fault, Timestamp,
    input::{Checked, Members},
    text::{self, text_type},
};
use serde::Serialize;
use serde_json::{Map, Value};
use uuid::Uuid;

/// The name of an event that says that a visitor saw a variation of an experiment.
pub const EXPOSURE: &str = "Experiment Viewed";

/// The properties that an [`EXPOSURE`] has.
const EXPOSURE_PROPERTIES: [&str; 2] = ["experimentId", "variationId"];

/// The maximum number of values in the properties of an event, at all levels.
pub const MOST_PROPERTIES: usize = 255;

/// The maximum depth of properties: an object, its lists, and the objects in them.
pub const DEEPEST_PROPERTIES: usize = 3;

/// The maximum length of a text in the properties, in Unicode code points.
pub const LONGEST_PROPERTY: usize = 1024;

/// The maximum length of the name of a property, in bytes.
pub const LONGEST_PROPERTY_NAME: usize = 64;

/// The members of an event that are read. Clients send more, such as `context`.
pub(crate) const MEMBERS: [&str; 7] =
    ["type", "event", "anonymousId", "userId", "messageId", "timestamp", "properties"];

/// The namespace of the ids that are made of a `messageId`.
const MESSAGES: Uuid = Uuid::from_u128(0x019a_a251_4760_7e1d_9b57_5c1f_0d0c_6a01);

text_type! {
    /// The name of an event, such as `Product Viewed`: one line of 1 to 100 characters.
    EventName = line(1, 100)
}

text_type! {
    /// Who a visitor is to the client that sends the events: one line of 1 to 128 characters.
    VisitorId = line(1, 128)
}

/// An event, as its client has told it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct TrackedEvent {
    /// What happened.
    pub name: EventName,
    /// `anonymousId`, or `userId` where there is no other.
    pub visitor: VisitorId,
    /// When it happened, by the client's clock.
    pub timestamp: Timestamp,
    /// The id that is made of the `messageId`, if the client gave one.
    pub message: Option<Uuid>,
    /// What else the client says about it.
    pub properties: Map<String, Value>,
}

/// An event with its id, and with the time at which it happened by our clock.
#[derive(Debug, Clone, PartialEq)]
pub struct VisitorEvent {
    /// The same in each repeat of the event.
    pub id: Uuid,
    /// What happened.
    pub name: EventName,
    /// Who did it.
    pub visitor: VisitorId,
    /// When it happened, corrected for the client's clock.
    pub at: Timestamp,
    /// When it was received.
    pub received_at: Timestamp,
    /// Whether its client says that it happened minutes after its receipt.
    pub from_future: bool,
    /// Whether a program told it that visits pages by itself; see [`is_bot`](crate::bot::is_bot).
    pub bot: bool,
    /// What else the client says about it.
    pub properties: Map<String, Value>,
}

impl TrackedEvent {
    /// Reads an element of a batch. `None` for a type that is accepted and not stored: it says who a visitor is, or which
    /// page was seen, of which nothing is counted.
    pub(crate) fn read(value: Value) -> Checked<Option<Self>> {
        let mut members = known(value, &MEMBERS)?;
        let is_stored = members.required("type", is_stored);
        if is_stored == Some(false) {
            return Ok(None);
        }
        let name = members.required("event", EventName::from_value);
        if !members.has("anonymousId") && !members.has("userId") {
            members.fault(Fault::here("is required, or userId").under("anonymousId"));
        }
        let anonymous = members.optional("anonymousId", VisitorId::from_value);
        let visitor = anonymous.or(members.optional("userId", VisitorId::from_value));
        let message = members.optional("messageId", |value| text::line(value, 1, 128));
        let timestamp = members.required("timestamp", text::time);
        let is_exposure = name.as_ref().is_some_and(|name| name.as_str() == EXPOSURE);
        if is_exposure && !members.has("properties") {
            members.fault(Fault::here("is required").under("properties"));
        }
        let properties = members.optional("properties", |value| properties(value, is_exposure));
        members.finish(|| {
            let visitor = visitor?;
            let message = message.map(|message| message_id(&visitor, &message));
            let properties = properties.unwrap_or_default();
            Some(Some(Self { name: name?, visitor, timestamp: timestamp?, message, properties }))
        })
    }
}

/// Reads an object's members of these names. A member that is null counts as absent: clients send null for what they do
/// not know. Other members are dropped.
pub(crate) fn known(mut value: Value, names: &[&str]) -> Checked<Members> {
    if let Value::Object(members) = &mut value {
        members.retain(|name, value| names.contains(&name.as_str()) && !value.is_null());
    }
    Members::of(value)
}

/// Whether events of this type are stored.
fn is_stored(value: Value) -> Checked<bool> {
    match text::string(value)?.as_str() {
        "track" => Ok(true),
        "identify" | "page" | "screen" | "group" | "alias" => Ok(false),
        _ => Err(vec![Fault::here("must be track, identify, page, screen, group or alias")]),
    }
}

/// The id of an event with a `messageId`. Clients need not choose ones that no other visitor has. Neither text has a
/// line feed.
fn message_id(visitor: &VisitorId, message: &str) -> Uuid {
    Uuid::new_v5(&MESSAGES, format!("{visitor}\n{message}").as_bytes())
}

fn properties(value: Value, is_exposure: bool) -> Checked<Map<String, Value>> {
    let Value::Object(properties) = value else { return Err(vec![Fault::here("must be an object")]) };
    let (mut faults, mut count) = (Vec::new(), 0);
    for (name, value) in &properties {
        faults.extend(faults_of(name, value, 1, &mut count));
    }
    if count > MOST_PROPERTIES {
        faults.push(Fault::here(format!("must have at most {MOST_PROPERTIES} values, at all levels")));
    }
    for name in EXPOSURE_PROPERTIES.into_iter().filter(|_| is_exposure) {
        let value = properties.get(name).cloned().unwrap_or_default();
        let read =
            if value.is_null() { Err(vec![Fault::here("is required")]) } else { text::line(value, 1, 64) };
        faults.extend(read.err().into_iter().flatten().map(|fault| fault.under(name)));
    }
    if faults.is_empty() { Ok(properties) } else { Err(faults) }
}

/// The faults of a property, or of a value in it, in this many objects and lists. Adds the number of its values to `count`.
fn faults_of(name: &str, value: &Value, depth: usize, count: &mut usize) -> Vec<Fault> {
    let mut faults = Vec::new();
    if name.len() > LONGEST_PROPERTY_NAME {
        faults.push(Fault::here(format!("must have a name of at most {LONGEST_PROPERTY_NAME} bytes")));
    }
    let is_deep = depth == DEEPEST_PROPERTIES;
    match value {
        Value::Array(_) | Value::Object(_) if is_deep => {
            faults.push(Fault::here(format!("must not be a list or an object: they nest {depth} deep")));
        }
        Value::Array(values) => {
            let values = values.iter().enumerate();
            faults.extend(
                values.flat_map(|(index, value)| faults_of(&index.to_string(), value, depth + 1, count)),
            );
        }
        Value::Object(members) => {
            faults.extend(members.iter().flat_map(|(name, value)| faults_of(name, value, depth + 1, count)));
        }
        Value::String(text) if text.chars().count() > LONGEST_PROPERTY => {
            faults.push(Fault::here(format!("must have at most {LONGEST_PROPERTY} characters")));
        }
        _ => {}
    }
    *count += 1;
    faults.into_iter().map(|fault| fault.under(name)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::input::merge;
    use serde_json::json;

    /// An event with this change (a merge patch).
    fn event(change: Value) -> Value {
        let mut event = json!({
            "type": "track", "event": "Product Viewed", "anonymousId": "a", "timestamp": "2026-11-21T08:00:00.250Z",
            "properties": {"productId": "p", "position": 3},
        });
        merge(&mut event, change);
        event
    }

    fn read(change: Value) -> TrackedEvent {
        TrackedEvent::read(event(change)).unwrap().unwrap()
    }

    fn faults(change: Value) -> Vec<(String, String)> {
        let faults = TrackedEvent::read(event(change)).unwrap_err();
        let shown = |fault: Fault| match fault.location {
            crate::FaultLocation::Body(pointer) => (pointer, fault.detail),
            other => panic!("{other:?}"),
        };
        faults.into_iter().map(shown).collect()
    }

    #[test]
    fn what_clients_send_besides_is_dropped() {
        let plain = read(json!({}));
        assert_eq!(
            (plain.name.as_str(), plain.visitor.as_str(), plain.message),
            ("Product Viewed", "a", None)
        );
        assert_eq!(plain.timestamp.to_string(), "2026-11-21T08:00:00.250Z");
        let more = json!({
            "context": {"library": {"name": "analytics-python"}}, "integrations": {"All": true}, "userId": "u",
            "originalTimestamp": 7, "channel": "server", "_metadata": {},
        });
        assert_eq!(read(more), plain);
        let mut unknown = event(json!({}));
        for name in ["userId", "messageId"] {
            unknown[name] = Value::Null;
        }
        assert_eq!(TrackedEvent::read(unknown), Ok(Some(plain)));
    }

    #[test]
    fn a_visitor_is_the_anonymous_id_or_else_the_user_id() {
        assert_eq!(read(json!({"userId": "u"})).visitor.as_str(), "a");
        assert_eq!(read(json!({"anonymousId": null, "userId": "u"})).visitor.as_str(), "u");
        let neither = faults(json!({"anonymousId": null}));
        assert_eq!(neither, [("/anonymousId".to_owned(), "is required, or userId".to_owned())]);
    }

    #[test]
    fn types_that_are_not_counted_are_accepted_as_they_are() {
        for other in ["identify", "page", "screen", "group", "alias"] {
            assert_eq!(
                TrackedEvent::read(json!({"type": other, "traits": {"email": 7}})),
                Ok(None),
                "{other}"
            );
        }
        for bad in [json!("buy"), json!(null), json!(1)] {
            assert!(faults(json!({"type": bad})).iter().any(|(pointer, _)| pointer == "/type"), "{bad}");
        }
    }

    #[test]
    fn every_fault_is_named() {
        let change = json!({
            "event": "", "anonymousId": 7, "messageId": "a\nb", "timestamp": "yesterday", "properties": [],
        });
        let pointers: Vec<String> = faults(change).into_iter().map(|(pointer, _)| pointer).collect();
        assert_eq!(pointers, ["/event", "/anonymousId", "/messageId", "/timestamp", "/properties"]);
    }

    #[test]
    fn properties_are_bounded() {
        let list = |length: usize| json!({"properties": {"list": vec![1; length]}});
        // The list itself is a value, and the sample has two.
        assert_eq!(read(list(MOST_PROPERTIES - 3)).properties.len(), 3);
        assert_eq!(faults(list(MOST_PROPERTIES - 2))[0].0, "/properties");
        let text = |length: usize| json!({"properties": {"text": "é".repeat(length)}});
        assert!(read(text(LONGEST_PROPERTY)).properties.contains_key("text"));
        assert_eq!(faults(text(LONGEST_PROPERTY + 1))[0].0, "/properties/text");
        assert!(read(json!({"properties": {"products": [{"id": 1}]}})).properties.contains_key("products"));
        assert_eq!(
            faults(json!({"properties": {"products": [{"ids": [1]}]}}))[0].0,
            "/properties/products/0/ids"
        );
        let long = "n".repeat(LONGEST_PROPERTY_NAME + 1);
        assert_eq!(faults(json!({"properties": {&*long: 1}}))[0].0, format!("/properties/{long}"));
    }

    #[test]
    fn an_exposure_names_experiment_and_variation() {
        let exposure = |properties: Value| json!({"event": EXPOSURE, "properties": properties});
        let whole = exposure(json!({"experimentId": "e", "variationId": "b"}));
        assert_eq!(read(whole).properties["variationId"], "b");
        let pointers = |change| faults(change).into_iter().map(|(pointer, _)| pointer).collect::<Vec<_>>();
        let both = ["/properties/experimentId", "/properties/variationId"];
        assert_eq!(pointers(exposure(json!({"experimentId": 7}))), both);
        assert_eq!(pointers(exposure(json!(null))), ["/properties"]);
    }

    #[test]
    fn the_id_of_a_message_is_its_visitors_alone() {
        let id = |visitor: &str| read(json!({"anonymousId": visitor, "messageId": "1"})).message.unwrap();
        assert_eq!(id("a"), id("a"));
        assert_ne!(id("a"), id("b"));
        assert_eq!(id("a").get_version_num(), 5);
    }
}
