//! A watched item as its watchers read it, and the problems of pages that cannot be watched.

use crate::problem::{Kind, Problem};
use domain::{
    Fault, Money, Timestamp,
    alert::Alert,
    observation::{Availability, ItemId, Reason},
    watched_item::{FailedCheck, WatchedItem},
};
use serde::Serialize;
use serde_json::json;

/// A watched item, with the caller's alerts.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct WatchDocument<'a> {
    item_id: ItemId,
    url: &'a str,
    /// Null until the page could be read.
    name: Option<&'a str>,
    price: Option<Money>,
    availability: Availability,
    /// Whether the price is the lowest of several.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    from: bool,
    alerts: &'a [Alert],
    check: Check,
}

/// The last look at the page.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
struct Check {
    status: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<Reason>,
    /// When the page was looked at; of a failure, since when it fails.
    at: Timestamp,
}

impl<'a> WatchDocument<'a> {
    /// The item with these alerts. `looked_at` is when its page was looked at last, as far as it is known.
    pub fn new(item: &'a WatchedItem, alerts: &'a [Alert], looked_at: Option<Timestamp>) -> Self {
        let seen = item.observation.as_ref();
        let check = match item.failed {
            Some(FailedCheck { reason, at }) => Check { status: "failed", reason: Some(reason), at },
            None => Check { status: "ok", reason: None, at: item.since.max(looked_at.unwrap_or(item.since)) },
        };
        Self {
            item_id: item.item_id,
            url: &item.url,
            name: seen.map(|seen| seen.name.as_str()),
            price: seen.and_then(|seen| seen.price),
            availability: seen.map_or(Availability::Unknown, |seen| seen.availability),
            from: seen.is_some_and(|seen| seen.from),
            alerts,
            check,
        }
    }
}

/// The problem for an address that is refused by its text.
pub fn refused_address(reason: Reason, fault: &str) -> Problem {
    let faults = vec![Fault::here(fault).under("url")];
    let members = Box::new([("reason", json!(reason))]);
    Problem {
        faults,
        members,
        ..Problem::new(Kind::AddressRefused, "The address is not one of a public web page.")
    }
}

/// The problem for a page that cannot be watched for good.
pub fn not_watchable(reason: Reason) -> Problem {
    let problem = Problem::new(Kind::PageNotWatchable, detail(reason));
    Problem { members: Box::new([("reason", json!(reason))]), ..problem }
}

fn detail(reason: Reason) -> &'static str {
    match reason {
        Reason::Scheme | Reason::Port | Reason::Credentials | Reason::Host => {
            "The page leads to an address that is not one of a public web page."
        }
        Reason::Address => "The host has an address that is not public.",
        Reason::TooManyRedirects => "The page redirects more than five times.",
        Reason::Robots => "The host does not want crawlers on this page (robots.txt).",
        Reason::NotHtml => "The address is not that of an HTML page.",
        Reason::TooLarge => "The page is larger than 4 MiB.",
        Reason::TooComplex => "The page has more structured data than a product page needs.",
        Reason::Gone => "There is no such page.",
        Reason::Forbidden => "The host refuses the page.",
        Reason::NoProduct => "The page describes no product in a form that can be read.",
        Reason::SeveralProducts => {
            "The page has several products or prices, and its address selects none of them."
        }
        Reason::NoPrice => "The page states no price.",
        Reason::BadPrice => "The page's price is not an amount of its currency.",
        Reason::NoCurrency => "The page's price has no currency, or a symbol that several currencies use.",
        Reason::UnknownCurrency => "The page's currency is not an active currency of ISO 4217.",
        Reason::Dns | Reason::Connection | Reason::Timeout | Reason::RateLimited | Reason::ServerError => {
            "The page cannot be read now."
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use domain::observation::{Observation, Validators};

    fn at(seconds: u64) -> Timestamp {
        Timestamp::from_unix_milliseconds(seconds * 1000)
    }

    #[test]
    fn a_document_says_what_the_page_says_and_when_it_was_looked_at() {
        let price = Some(Money { amount: 100, currency: "SGD".parse().unwrap() });
        let seen =
            Observation { name: "Tea".to_owned(), price, availability: Availability::InStock, from: true };
        let address = || ("https://shop.com/p".to_owned(), "shop.com".to_owned());
        let id = ItemId::of_digest(&[7; 32]);
        let item = WatchedItem::new(id, address(), Ok((seen, Validators::default())), at(0));
        let document = json!(WatchDocument::new(&item, &[Alert::Any], Some(at(60))));
        let expected = json!({
            "itemId": id, "url": "https://shop.com/p", "name": "Tea", "price": {"amount": 100, "currency": "SGD"},
            "availability": "inStock", "from": true, "alerts": [{"kind": "any"}],
            "check": {"status": "ok", "at": "1970-01-01T00:01:00.000Z"},
        });
        assert_eq!(document, expected);
        assert_eq!(json!(WatchDocument::new(&item, &[], None))["check"]["at"], json!(at(0)));

        let item = WatchedItem::new(id, address(), Err(Reason::Timeout), at(5));
        let document = json!(WatchDocument::new(&item, &[], Some(at(60))));
        assert_eq!(document["check"], json!({"status": "failed", "reason": "timeout", "at": at(5)}));
        assert_eq!((&document["name"], &document["price"]), (&json!(null), &json!(null)));
        assert_eq!((&document["availability"], document.get("from")), (&json!("unknown"), None));
    }

    #[test]
    fn problems_name_the_reason() {
        let problem = refused_address(Reason::Port, "must have no port");
        assert_eq!((problem.kind, problem.members[0].1.clone()), (Kind::AddressRefused, json!("port")));
        for reason in Reason::ALL {
            let problem = not_watchable(*reason);
            assert_eq!(
                (problem.kind, &problem.members[0].1),
                (Kind::PageNotWatchable, &json!(reason.code()))
            );
        }
    }
}
