//! Stripe's list of events (<https://docs.stripe.com/api/events/list>), which has those that no endpoint was sent, too.

use crate::{EventPage, Stripe, WebhookEvent, webhook::KNOWN};
use domain::{Error, payment_events::EventPeriod};
use form_urlencoded::Serializer;
use serde::Deserialize;
use serde_json::Value;

const EVENTS: &str = "/v1/events";

/// The maximum number of events of a page.
const PAGE: &str = "100";

#[derive(Deserialize)]
struct Listed {
    data: Vec<Value>,
    has_more: bool,
}

impl Stripe {
    pub(crate) async fn read_events(&self, period: &EventPeriod) -> Result<EventPage, Error> {
        let mut after = period.after.as_deref();
        loop {
            let answer = self.client.get(&path(period, after)).await?;
            let Listed { data, has_more } = match answer.read::<Listed>()? {
                Ok(listed) => listed,
                Err(refusal) if after.is_some() && refusal.is("resource_missing") => {
                    after = None;
                    continue;
                }
                Err(refusal) => return Err(answer.error(&refusal)),
            };
            let last = data.last().filter(|_| has_more).and_then(|event| event["id"].as_str());
            return Ok(EventPage {
                last: last.map(str::to_owned),
                events: data.iter().filter_map(WebhookEvent::of).collect(),
            });
        }
    }
}

fn path(period: &EventPeriod, after: Option<&str>) -> String {
    let mut query = Serializer::new(String::new());
    query
        .append_pair("limit", PAGE)
        .append_pair("created[gte]", &period.from.unix_seconds().to_string())
        .append_pair("created[lt]", &period.until.unix_seconds().to_string())
        .extend_pairs(KNOWN.iter().map(|kind| ("types[]", kind)))
        .extend_pairs(after.map(|after| ("starting_after", after)));
    format!("{EVENTS}?{}", query.finish())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        Payments,
        scripted::tests::{Reaction, Script, internal_cause, refused},
    };
    use domain::Timestamp;
    use serde_json::json;

    fn period(after: Option<&str>) -> EventPeriod {
        let at = |seconds: u64| Timestamp::from_unix_milliseconds(seconds * 1000 + 999);
        EventPeriod { from: at(5), until: at(70), after: after.map(str::to_owned) }
    }

    fn page(events: &[(&str, &str)], has_more: bool) -> Reaction {
        let event =
            |(id, kind): &(&str, &str)| json!({"id": id, "type": kind, "data": {"object": {"id": "pi_1"}}});
        let data: Vec<Value> = events.iter().map(event).collect();
        Reaction::Answer(200, "", json!({"object": "list", "data": data, "has_more": has_more}).to_string())
    }

    const CANCELED: &str = "payment_intent.canceled";

    #[tokio::test]
    async fn a_page_has_the_known_events_of_the_period_and_where_the_next_one_begins() {
        let script = Script::play([page(&[("evt_2", CANCELED), ("evt_1", CANCELED)], true)]).await;
        let found = script.stripe.events(&period(None)).await.unwrap();
        let ids: Vec<&str> = found.events.iter().map(|event| event.id.as_str()).collect();
        assert_eq!((ids, found.last.as_deref()), (vec!["evt_2", "evt_1"], Some("evt_1")));
        let kinds: String = KNOWN.iter().flat_map(|kind| ["&types%5B%5D=", kind]).collect();
        let asked = format!("GET events?limit=100&created%5Bgte%5D=5&created%5Blt%5D=70{kinds}");
        assert_eq!(script.steps(), std::slice::from_ref(&asked));
        let script = Script::play([page(&[], false)]).await;
        let found = script.stripe.events(&period(Some("evt_1"))).await.unwrap();
        assert_eq!(
            (found, script.steps()),
            (EventPage { events: vec![], last: None }, vec![asked + "&starting_after=evt_1"])
        );
    }

    #[test]
    fn the_default_of_the_template_is_no_key() {
        let has_key = |key| Stripe::new("https://api.stripe.com", key).has_key();
        assert_eq!((has_key("unset\n"), has_key("sk_test_1")), (false, true));
    }

    #[tokio::test]
    async fn a_period_whose_last_event_is_no_longer_there_is_read_from_its_beginning() {
        let replies = [refused(400, "resource_missing"), page(&[("evt_1", CANCELED)], false)];
        let script = Script::play(replies).await;
        let found = script.stripe.events(&period(Some("evt_gone"))).await.unwrap();
        assert_eq!((found.events.len(), found.last), (1, None));
        assert!(!script.steps()[1].contains("starting_after"));
        for refusal in [refused(503, "x"), refused(401, "x")] {
            let passing = matches!(refusal, Reaction::Answer(503, ..));
            let script = Script::play([refusal]).await;
            assert_eq!(internal_cause(script.stripe.events(&period(None)).await).is_none(), passing);
        }
    }
}
