//! Batches of events: what one request of a client brings.

use crate::{
    Error, Fault, Input, Timestamp,
    event::{self, TrackedEvent, VisitorEvent, known},
    event_columns::{self, Delivery},
    id::NotAnId,
    input::{Checked, elements},
    text,
};
use serde_json::Value;
use std::{fmt, str::FromStr};
use uuid::Uuid;

/// The maximum number of events of a request.
pub const MOST_EVENTS: usize = 500;

/// The members of a request that are read. Clients send more, such as `writeKey`.
const MEMBERS: [&str; 3] = ["batch", "batchId", "sentAt"];

/// The largest error of a client's clock that is corrected: a date that is wrong by a day, and the time of a request. A
/// larger difference between `sentAt` and the receipt is not corrected, because the request may have been late.
const LARGEST_CLOCK_ERROR_MS: u64 = 25 * 60 * 60 * 1000;

/// By how much a corrected time may be later than the receipt. A client without `sentAt` may have a clock that is fast by some
/// minutes.
const LARGEST_ADVANCE_MS: u64 = 5 * 60 * 1000;

/// The namespace of the ids that are made of the content of a batch.
const CONTENTS: Uuid = Uuid::from_u128(0x019a_a251_4760_7e1d_9b57_5c1f_0d0c_6a02);

/// The id of a batch: a UUID of the client, or one that is made of the content.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BatchId(Uuid);

impl BatchId {
    fn from_value(value: Value) -> Checked<Self> {
        let rule = |_| vec![Fault::here("must be a UUID in hyphenated lower case")];
        text::string(value)?.parse().map_err(rule)
    }
}

impl FromStr for BatchId {
    type Err = NotAnId;

    fn from_str(text: &str) -> Result<Self, NotAnId> {
        let id = Uuid::try_parse(text).map(Self).map_err(|_| NotAnId)?;
        // Each id has one spelling.
        if id.to_string() == text { Ok(id) } else { Err(NotAnId) }
    }
}

impl fmt::Display for BatchId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.as_hyphenated().fmt(f)
    }
}

/// The body of a request with events.
#[derive(Debug, Clone, PartialEq)]
pub struct EventUpload {
    id: Option<BatchId>,
    /// By the client's clock.
    sent_at: Option<Timestamp>,
    events: Vec<TrackedEvent>,
}

impl Input for EventUpload {
    /// Clients send a `context` of any depth, which is dropped.
    const DEEPEST: usize = 32;

    fn from_json(value: Value) -> Result<Self, Error> {
        Self::read(value).map_err(Error::Invalid)
    }

    fn drops(pointer: &str) -> bool {
        let mut names = pointer.split('/').skip(1);
        match names.next() {
            Some("batch") => names.nth(1).is_some_and(|member| !event::MEMBERS.contains(&member)),
            Some(member) => !MEMBERS.contains(&member),
            None => false,
        }
    }
}

impl EventUpload {
    fn read(value: Value) -> Checked<Self> {
        let mut members = known(value, &MEMBERS)?;
        let id = members.optional("batchId", BatchId::from_value);
        let sent_at = members.optional("sentAt", text::time);
        let events = members.required("batch", |value| elements(value, 1, MOST_EVENTS, TrackedEvent::read));
        members.finish(|| Some(Self { id, sent_at, events: events?.into_iter().flatten().collect() }))
    }

    /// The batch, received at this time.
    pub fn received(self, at: Timestamp) -> Result<EventBatch, Error> {
        let correction_ms = self.sent_at.map_or(0, |sent_at| correction_ms(sent_at, at));
        EventBatch::new(self.id, Delivery { received_at: at, correction_ms, bot: false, events: self.events })
    }
}

/// What is added to the times of a client, in milliseconds: by how much its clock is slow.
fn correction_ms(sent_at: Timestamp, received_at: Timestamp) -> i64 {
    let (sent, received) = (sent_at.unix_milliseconds(), received_at.unix_milliseconds());
    let error = received.cast_signed() - sent.cast_signed();
    if error.unsigned_abs() <= LARGEST_CLOCK_ERROR_MS { error } else { 0 }
}

/// The events of one request that are stored.
#[derive(Debug, Clone, PartialEq)]
pub struct EventBatch {
    /// The id.
    pub id: BatchId,
    /// The same for each batch with the same events, as their client has told them.
    pub content: Uuid,
    delivery: Delivery,
}

impl EventBatch {
    fn new(id: Option<BatchId>, delivery: Delivery) -> Result<Self, Error> {
        let canonical = serde_json::to_vec(&delivery.events)
            .map_err(|error| Error::internal(format!("events do not serialize: {error}")))?;
        let content = Uuid::new_v5(&CONTENTS, &canonical);
        // A client that sends a request again, without an id, sends the same events.
        let id = id.unwrap_or(BatchId(content));
        Ok(Self { id, content, delivery })
    }

    /// The batch, told by a program that visits pages by itself, or not. It is not a part of the content.
    #[must_use]
    pub fn from_bot(mut self, bot: bool) -> Self {
        self.delivery.bot = bot;
        self
    }

    /// When it was received.
    pub fn received_at(&self) -> Timestamp {
        self.delivery.received_at
    }

    /// The number of events.
    pub fn len(&self) -> usize {
        self.delivery.events.len()
    }

    /// Whether it has no event: all were of types that are not stored.
    pub fn is_empty(&self) -> bool {
        self.delivery.events.is_empty()
    }

    /// The events, with their ids and with corrected times. No event is later than its receipt.
    pub fn events(&self) -> impl Iterator<Item = VisitorEvent> {
        self.delivery.events.iter().enumerate().map(|(index, event)| {
            let TrackedEvent { name, visitor, timestamp, message, properties } = event.clone();
            let at = timestamp.unix_milliseconds().saturating_add_signed(self.delivery.correction_ms);
            let Delivery { received_at, bot, .. } = self.delivery;
            VisitorEvent {
                id: message.unwrap_or_else(|| Uuid::new_v5(&self.id.0, index.to_string().as_bytes())),
                name,
                visitor,
                at: Timestamp::from_unix_milliseconds(at).min(received_at),
                received_at,
                from_future: at > received_at.unix_milliseconds() + LARGEST_ADVANCE_MS,
                bot,
                properties,
            }
        })
    }

    /// The stored form, not compressed: columns, so that what repeats is next to each other.
    pub fn to_bytes(&self) -> Result<Vec<u8>, Error> {
        event_columns::write(&self.delivery)
    }

    /// Reads the stored form.
    pub fn from_bytes(id: BatchId, bytes: &[u8]) -> Result<Self, Error> {
        Self::new(Some(id), event_columns::read(bytes)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::FaultLocation;
    use serde_json::json;

    const ID: &str = "0f0e0d0c-0b0a-4908-8706-050403020100";
    /// 2026-11-21T08:00:00.000Z.
    const MORNING: u64 = 1_795_248_000_000;
    const DAY_MS: u64 = 24 * 60 * 60 * 1000;

    fn at(milliseconds: u64) -> Timestamp {
        Timestamp::from_unix_milliseconds(milliseconds)
    }

    fn event(number: usize, time: u64) -> Value {
        json!({"type": "track", "event": format!("E{number}"), "anonymousId": "a", "timestamp": at(time)})
    }

    fn received(body: Value, time: u64) -> EventBatch {
        EventUpload::from_json(body).unwrap().received(at(time)).unwrap()
    }

    /// The time of an event that happened a minute before it was sent, by a clock that is fast by this much.
    fn corrected(fast_ms: i64, latency_ms: u64) -> Timestamp {
        let client = MORNING.saturating_add_signed(fast_ms);
        let body = json!({"batch": [event(0, client - 60_000)], "sentAt": at(client)});
        received(body, MORNING + latency_ms).events().next().unwrap().at
    }

    #[test]
    fn a_fault_names_the_index_of_its_event() {
        let body = json!({"batch": [event(0, MORNING), {"type": "track"}, event(2, MORNING)], "sentAt": 1, "batchId": "x"});
        let Err(Error::Invalid(faults)) = EventUpload::from_json(body) else { panic!() };
        let pointers: Vec<_> = faults.into_iter().map(|fault| fault.location).collect();
        let wrong = ["/batchId", "/sentAt", "/batch/1/event", "/batch/1/anonymousId", "/batch/1/timestamp"];
        assert_eq!(pointers, wrong.map(|pointer| FaultLocation::Body(pointer.to_owned())));
    }

    #[test]
    fn an_event_from_the_future_is_marked() {
        let marked = |ahead_ms: u64, sent_at: Option<u64>| {
            let mut body = json!({"batch": [event(0, MORNING + ahead_ms)]});
            body.as_object_mut().unwrap().extend(sent_at.map(|time| ("sentAt".to_owned(), json!(at(time)))));
            let event = received(body, MORNING).events().next().unwrap();
            assert_eq!(event.at, at(MORNING));
            event.from_future
        };
        assert!(!marked(300_000, None) && marked(300_001, None));
        // A fast clock is corrected.
        assert!(!marked(3_600_000, Some(MORNING + 3_600_000)));
        assert!(marked(3_900_001, Some(MORNING + 3_600_000)));
        assert!(marked(30 * DAY_MS, Some(MORNING + 30 * DAY_MS)));
    }

    #[test]
    fn a_program_is_no_part_of_the_content() {
        let body = json!({"batch": [event(0, MORNING)]});
        let (person, program) = (received(body.clone(), MORNING), received(body, MORNING).from_bot(true));
        assert_eq!((person.id, person.content), (program.id, program.content));
        let bot = |batch: &EventBatch| {
            EventBatch::from_bytes(batch.id, &batch.to_bytes().unwrap()).unwrap().events().next().unwrap().bot
        };
        assert_eq!((bot(&person), bot(&program)), (false, true));
    }

    #[test]
    fn a_batch_has_1_to_500_events() {
        let read = |count: usize| EventUpload::from_json(json!({"batch": vec![event(0, MORNING); count]}));
        assert!(read(1).is_ok() && read(500).is_ok());
        assert!(read(0).is_err() && read(501).is_err());
    }

    #[test]
    fn clocks_that_are_off_by_a_day_are_corrected() {
        let day = DAY_MS.cast_signed();
        for fast_ms in [0, 1, -1, 3_600_000, day, -day] {
            assert_eq!(corrected(fast_ms, 40), at(MORNING + 40 - 60_000), "{fast_ms}");
        }
        // A request that is two days late, or a clock that is: which one is not known.
        assert_eq!(corrected(0, 2 * DAY_MS), at(MORNING - 60_000));
        assert_eq!(corrected(2 * day, 0), at(MORNING), "not later than the receipt");
    }

    #[test]
    fn without_the_time_of_sending_nothing_is_corrected() {
        let times = |body| received(body, MORNING).events().map(|event| event.at).collect::<Vec<_>>();
        let body = json!({"batch": [event(0, MORNING - 5), event(1, MORNING + 5)], "sentAt": null});
        assert_eq!(times(body), [at(MORNING - 5), at(MORNING)]);
    }

    #[test]
    fn ids_follow_from_the_batch_and_the_index_or_from_the_message() {
        let batch = |more: Value| {
            let mut body = json!({"batch": [event(0, MORNING), event(1, MORNING)], "batchId": ID});
            body["batch"][1]["messageId"] = more;
            received(body, MORNING)
        };
        let ids = |batch: &EventBatch| batch.events().map(|event| event.id.to_string()).collect::<Vec<_>>();
        let plain = ids(&batch(json!(null)));
        // Written down: other ids would count stored events again.
        assert_eq!(plain, ["e5f948c4-4242-54d2-9ca7-5f17f2ae1dcf", "e75f03ed-3daf-5dae-ade9-881753c1b04f"]);
        let named = ids(&batch(json!("m")));
        assert_eq!((&named[0], named[1] == plain[1]), (&plain[0], false));
        let elsewhere = received(json!({"batch": [{"type": "page"}, batch_event("m")]}), MORNING + 9);
        assert_eq!(ids(&elsewhere), [&*named[1]]);
    }

    fn batch_event(message: &str) -> Value {
        let mut event = event(1, MORNING);
        event["messageId"] = message.into();
        event
    }

    #[test]
    fn the_same_events_make_the_same_id() {
        let body = |change: u64| json!({"batch": [event(0, MORNING), event(1, MORNING + change)], "sentAt": at(MORNING)});
        let first = received(body(0), MORNING);
        let again = received(
            json!({"batch": [event(0, MORNING), event(1, MORNING)], "sentAt": at(MORNING + 70)}),
            MORNING + 90,
        );
        assert_eq!((first.id, first.content), (again.id, again.content));
        assert_ne!(first.id, received(body(1), MORNING).id);
        let mut named = body(0);
        named["batchId"] = ID.into();
        let named = received(named, MORNING);
        assert_eq!((named.id.to_string().as_str(), named.content), (ID, first.content));
    }

    #[test]
    fn an_id_of_a_batch_has_one_spelling() {
        for bad in ["", "x", &ID.to_uppercase(), &ID.replace('-', ""), &format!("{{{ID}}}")] {
            assert_eq!(bad.parse::<BatchId>(), Err(NotAnId), "{bad}");
        }
    }
}
