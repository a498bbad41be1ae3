//! The lists of a flash sale in JSON-LD: an `ItemList` of `SaleEvent`s, and for each of them an `ItemList` of `Product`s.

use crate::{
    Allowed, PageAddress,
    graph::{Item, Value, tidy},
    json_ld, link, page,
    product::PRODUCTS,
};
use domain::{
    Timestamp,
    flash_sale::{FlashSale, MOST_SESSIONS, SkippedSession},
    observation::{Observation, Reason},
    sale_progress::PageLinks,
};
use std::collections::HashSet;

/// The longest name of a session, in characters.
const LONGEST_NAME: usize = 300;

/// A session of the list, or why it cannot be crawled.
pub type ListedSale = Result<FlashSale, SkippedSession>;

/// An entry of a page of a session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Entry {
    /// An item, with what the list says of it; `None` if the list has no offer.
    Item(PageAddress, Option<Result<Observation, Reason>>),
    /// Its address is on another host than the source.
    Elsewhere,
    /// It has no address that can be asked for, or is no product.
    Unreadable(Reason),
}

/// A page of a session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SalePage {
    /// The entries.
    pub entries: Vec<Entry>,
    /// The links to other pages on the source's host.
    pub links: PageLinks,
}

/// Reads the list of sessions that was served at this address.
pub fn read_sessions(
    address: &PageAddress,
    body: &[u8],
    allowed: &Allowed,
    read_at: Timestamp,
) -> Result<Vec<ListedSale>, Reason> {
    let list = list_in(body)?;
    let entries = entries_of(&list).enumerate().take(MOST_SESSIONS);
    let mut ids = HashSet::new();
    let read = entries.map(|(index, (entry, _))| {
        let session = entry.ok_or("no SaleEvent").and_then(|item| session(address, item, allowed, read_at));
        let session = session.and_then(|session| {
            if ids.insert(session.id.clone()) { Ok(session) } else { Err("identifier of an earlier session") }
        });
        session.map_err(|fault| SkippedSession { position: index + 1, fault })
    });
    Ok(read.collect())
}

fn session(
    source: &PageAddress,
    item: &Item,
    allowed: &Allowed,
    read_at: Timestamp,
) -> Result<FlashSale, &'static str> {
    let id = item.text("identifier").ok_or("no identifier")?.parse();
    let time = |name| item.text(name).and_then(|text| text.parse::<Timestamp>().ok());
    let starts_at = time("startDate").ok_or("no startDate in RFC 3339")?;
    let ends_at = time("endDate").filter(|end| *end > starts_at).ok_or("no endDate after startDate")?;
    let url = source.join(item.text("url").ok_or("no url")?, allowed).map_err(|_| "url is refused")?;
    if !url.has_host_of(source) {
        return Err("url is on another host");
    }
    let id = id.map_err(|_| "identifier is too long or has control characters")?;
    let name = item.text("name").map(tidy).unwrap_or_default().chars().take(LONGEST_NAME).collect();
    Ok(FlashSale { id, name, starts_at, ends_at, url: url.to_string(), read_at })
}

/// Reads a page of a session that was served at this address with this header `Link`.
pub fn read_page(
    address: &PageAddress,
    body: &[u8],
    link: &str,
    allowed: &Allowed,
) -> Result<SalePage, Reason> {
    let list = list_in(body)?;
    let entries = entries_of(&list).map(|(item, url)| entry(address, item, url, allowed)).collect();
    let linked = |relation| {
        let target = link::target(link, relation).and_then(|target| address.join(target, allowed).ok());
        target.filter(|target| target.has_host_of(address))
    };
    let next = linked("next").map(|next| (next.page_number(), next.to_string()));
    Ok(SalePage {
        entries,
        links: PageLinks { next, last: linked("last").and_then(|last| last.page_number()) },
    })
}

fn entry(list: &PageAddress, item: Option<&Item>, url: Option<&str>, allowed: &Allowed) -> Entry {
    if item.is_some_and(|item| !item.is_a(&PRODUCTS)) {
        return Entry::Unreadable(Reason::NoProduct);
    }
    let own = item.and_then(|item| item.text("url").or(item.id.as_deref()));
    let Some(address) = own.or(url) else { return Entry::Unreadable(Reason::Host) };
    match list.join(address, allowed) {
        Ok(address) if address.has_host_of(list) => {
            let listed = item.and_then(|item| page::read_listed((list, &address), item, allowed));
            Entry::Item(address, listed)
        }
        // One that may not be asked for at all is on another host, too.
        Ok(_) => Entry::Elsewhere,
        Err(refused) if matches!(refused.reason, Reason::Host | Reason::Port) => Entry::Elsewhere,
        Err(refused) => Entry::Unreadable(refused.reason),
    }
}

/// The list of a document.
fn list_in(body: &[u8]) -> Result<Item, Reason> {
    let items = json_ld::items(&[String::from_utf8_lossy(body).into_owned()])?;
    let in_graph = items.iter().flat_map(|item| item.items("@graph"));
    let list = items.iter().chain(in_graph).find(|item| item.is_a(&["ItemList"]));
    list.cloned().ok_or(Reason::NoProduct)
}

/// The entries of a list: each with its item, if it has one, and the address beside it.
fn entries_of(list: &Item) -> impl Iterator<Item = (Option<&Item>, Option<&str>)> {
    list.all("itemListElement").map(|value| match value {
        Value::Item(entry) if entry.is_a(&["ListItem"]) => {
            let mut addresses = ["url", "item"].into_iter().flat_map(|name| entry.all(name));
            let address = addresses.find_map(|value| match value {
                Value::Text(address) => Some(address.trim()).filter(|address| !address.is_empty()),
                Value::Number(_) | Value::Item(_) => None,
            });
            (entry.items("item").next(), address)
        }
        Value::Item(item) => (Some(item), None),
        Value::Text(url) | Value::Number(url) => (None, Some(url.as_str())),
    })
}

impl PageAddress {
    /// The number of a page: the parameter `page`.
    fn page_number(&self) -> Option<u32> {
        self.url().query_pairs().find(|(name, _)| name == "page").and_then(|(_, number)| number.parse().ok())
    }

    /// The page of this list with this number.
    pub(crate) fn with_page(&self, number: u32, allowed: &Allowed) -> Option<Self> {
        let mut url = self.url().clone();
        let others = self.url().query_pairs().filter(|(name, _)| name != "page");
        url.query_pairs_mut().clear().extend_pairs(others).append_pair("page", &number.to_string());
        self.join(&format!("?{}", url.query().unwrap_or_default()), allowed).ok()
    }
}

#[path = "sale_list_tests.rs"]
mod tests;
