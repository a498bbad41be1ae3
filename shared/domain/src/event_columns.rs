//! The stored form of a batch of events: JSON in columns.
//!
//! Events of one name with the same properties have a shape in common; each of its properties is a column. Neither names
//! nor visitors are repeated, and values that resemble each other are next to each other, which is what a compressor needs.

use crate::{
    Error, Timestamp,
    event::{EventName, TrackedEvent, VisitorId},
};
use base64::{Engine, engine::general_purpose::STANDARD_NO_PAD};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use uuid::Uuid;

/// The version of this format, to be raised when the format changes.
const FORM: u8 = 1;

/// What is stored of a batch.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Delivery {
    pub received_at: Timestamp,
    /// What is added to the times of the events.
    pub correction_ms: i64,
    /// Whether the client is a program that visits pages by itself.
    pub bot: bool,
    pub events: Vec<TrackedEvent>,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Columns {
    form: u8,
    received_ms: u64,
    correction_ms: i64,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    bot: bool,
    visitors: Vec<VisitorId>,
    shapes: Vec<Shape>,
    /// The index of each event's visitor.
    visitor: Vec<usize>,
    /// The index of each event's shape.
    shape: Vec<usize>,
    /// The time of each event, in milliseconds after the one before it.
    time_ms: Vec<i64>,
    /// The ids of those events that have one of their own, in base64.
    messages: String,
}

/// What events have in common.
#[derive(Serialize, Deserialize)]
struct Shape {
    name: EventName,
    /// Whether the events have ids of their own.
    messages: bool,
    /// The properties, each with the values of all events of this shape.
    properties: Vec<(String, Vec<Value>)>,
}

impl Shape {
    fn of(event: &TrackedEvent) -> Self {
        let properties = event.properties.keys().map(|name| (name.clone(), Vec::new())).collect();
        Self { name: event.name.clone(), messages: event.message.is_some(), properties }
    }

    fn fits(&self, event: &TrackedEvent) -> bool {
        let names = self.properties.iter().map(|(name, _)| name);
        self.name == event.name
            && self.messages == event.message.is_some()
            && names.eq(event.properties.keys())
    }
}

/// The index of the first element that fits, which is added if there is none.
fn index_of<T>(elements: &mut Vec<T>, fits: impl Fn(&T) -> bool, new: impl FnOnce() -> T) -> usize {
    elements.iter().position(fits).unwrap_or_else(|| {
        elements.push(new());
        elements.len() - 1
    })
}

/// Writes a batch.
pub(crate) fn write(batch: &Delivery) -> Result<Vec<u8>, Error> {
    let mut columns = Columns {
        form: FORM,
        received_ms: batch.received_at.unix_milliseconds(),
        correction_ms: batch.correction_ms,
        bot: batch.bot,
        visitors: Vec::new(),
        shapes: Vec::new(),
        visitor: Vec::new(),
        shape: Vec::new(),
        time_ms: Vec::new(),
        messages: String::new(),
    };
    let (mut before, mut messages) = (0, Vec::new());
    for event in &batch.events {
        let visitor = index_of(&mut columns.visitors, |one| *one == event.visitor, || event.visitor.clone());
        let shape = index_of(&mut columns.shapes, |shape| shape.fits(event), || Shape::of(event));
        // The map and the shape have the same order.
        for ((_, column), value) in columns.shapes[shape].properties.iter_mut().zip(event.properties.values())
        {
            column.push(value.clone());
        }
        columns.visitor.push(visitor);
        columns.shape.push(shape);
        let time = event.timestamp.unix_milliseconds().cast_signed();
        columns.time_ms.push(time - before);
        before = time;
        messages.extend(event.message.iter().flat_map(|id| *id.as_bytes()));
    }
    columns.messages = STANDARD_NO_PAD.encode(messages);
    serde_json::to_vec(&columns).map_err(|error| Error::internal(format!("events do not serialize: {error}")))
}

/// Reads a batch.
pub(crate) fn read(bytes: &[u8]) -> Result<Delivery, Error> {
    let broken = |what: &str| Error::internal(format!("a stored batch of events has {what}"));
    let columns: Columns =
        serde_json::from_slice(bytes).map_err(|error| broken(&format!("another form: {error}")))?;
    if columns.form != FORM {
        return Err(broken(&format!("the form {}", columns.form)));
    }
    let messages =
        STANDARD_NO_PAD.decode(&columns.messages).map_err(|_| broken("ids that are not base64"))?;
    let mut messages = messages.chunks_exact(16).map(|bytes| Uuid::from_slice(bytes).unwrap_or_default());
    let mut shapes = columns.shapes.into_iter().map(Reading::of).collect::<Vec<_>>();
    let (mut events, mut time) = (Vec::new(), 0_i64);
    for ((visitor, shape), since) in columns.visitor.into_iter().zip(columns.shape).zip(columns.time_ms) {
        time = time.saturating_add(since);
        let visitor = columns.visitors.get(visitor).cloned().ok_or_else(|| broken("no such visitor"))?;
        let shape = shapes.get_mut(shape).ok_or_else(|| broken("no such shape"))?;
        events.push(TrackedEvent {
            name: shape.name.clone(),
            visitor,
            timestamp: Timestamp::from_unix_milliseconds(time.unsigned_abs()),
            message: if shape.messages {
                Some(messages.next().ok_or_else(|| broken("too few ids"))?)
            } else {
                None
            },
            properties: shape.next().ok_or_else(|| broken("too few values"))?,
        });
    }
    let received_at = Timestamp::from_unix_milliseconds(columns.received_ms);
    Ok(Delivery { received_at, correction_ms: columns.correction_ms, bot: columns.bot, events })
}

/// A shape whose columns are read from the start.
struct Reading {
    name: EventName,
    messages: bool,
    properties: Vec<(String, std::vec::IntoIter<Value>)>,
}

impl Reading {
    fn of(shape: Shape) -> Self {
        let properties = shape.properties.into_iter().map(|(name, values)| (name, values.into_iter()));
        Self { name: shape.name, messages: shape.messages, properties: properties.collect() }
    }

    /// The properties of the next event.
    fn next(&mut self) -> Option<Map<String, Value>> {
        self.properties.iter_mut().map(|(name, values)| Some((name.clone(), values.next()?))).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::{
        collection::{btree_map, vec},
        option,
        prelude::*,
    };

    fn value() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            // Numbers that are not whole keep 15 digits.
            (-999_999_999_999_999_i64..999_999_999_999_999, 0..9).prop_map(|(digits, places)| Value::from(
                format!("{digits}e-{places}").parse::<f64>().unwrap()
            )),
            "\\PC{0,8}".prop_map(Value::from),
        ];
        leaf.prop_recursive(2, 6, 3, |inner| {
            prop_oneof![
                vec(inner.clone(), 0..3).prop_map(Value::from),
                btree_map("[a-c]", inner, 0..3)
                    .prop_map(|members| Value::Object(members.into_iter().collect())),
            ]
        })
    }

    fn event() -> impl Strategy<Value = TrackedEvent> {
        let message = option::of(any::<[u8; 16]>().prop_map(Uuid::from_bytes));
        let properties = btree_map("[a-c]", value(), 0..3);
        ("[ab]", "[xy]", 0..253_402_300_799_999_u64, message, properties).prop_map(
            |(name, visitor, time, message, properties)| TrackedEvent {
                name: name.parse().unwrap(),
                visitor: visitor.parse().unwrap(),
                timestamp: Timestamp::from_unix_milliseconds(time),
                message,
                properties: properties.into_iter().collect(),
            },
        )
    }

    fn batch() -> impl Strategy<Value = Delivery> {
        (any::<i32>(), any::<bool>(), vec(event(), 0..40)).prop_map(|(correction, bot, events)| {
            let received_at = Timestamp::from_unix_milliseconds(1_795_248_000_000);
            Delivery { received_at, correction_ms: correction.into(), bot, events }
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn a_batch_is_read_as_it_was_written(batch in batch()) {
            let read = read(&write(&batch).unwrap()).unwrap();
            prop_assert_eq!(read, batch);
        }

        #[test]
        fn what_was_cut_off_or_changed_is_an_error_or_another_batch(batch in batch(), at in any::<prop::sample::Index>()) {
            let mut bytes = write(&batch).unwrap();
            prop_assert!(read(&bytes[..at.index(bytes.len())]).is_err());
            let at = at.index(bytes.len());
            bytes[at] = bytes[at].wrapping_add(1);
            prop_assert_ne!(read(&bytes), Ok(batch));
        }
    }

    #[test]
    fn another_form_is_refused() {
        let batch = Delivery {
            received_at: Timestamp::from_unix_milliseconds(0),
            correction_ms: 0,
            bot: false,
            events: Vec::new(),
        };
        let text = String::from_utf8(write(&batch).unwrap()).unwrap();
        assert!(read(text.as_bytes()).is_ok());
        assert!(read(text.replace("\"form\":1", "\"form\":2").as_bytes()).is_err());
    }
}
