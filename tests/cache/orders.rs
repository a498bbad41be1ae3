//! Runs a few events on a page in every possible order.

use crate::{Cache, GONE, Version};

/// An event on the page of a product. The text of a page is its versions and its position in the stream.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Event {
    /// The stream's consumer stores a page of this version, as of this position.
    Put { place: u64, version: Version },
    /// The stream's consumer records, as of this position, that the product is withdrawn.
    Gone { place: u64 },
    /// A writer records this version.
    Invalidate { version: Version },
    /// A reader stores a page of this version.
    Fill { version: Version },
}

impl Event {
    fn happen(self, cache: &mut Cache) -> bool {
        match self {
            Self::Put { place, version } => cache.put(place, version, &page_of(version, place)),
            Self::Gone { place } => cache.put(place, GONE, ""),
            Self::Invalidate { version } => cache.invalidate(version),
            Self::Fill { version } => cache.fill(version, &page_of(version, 0)),
        }
    }

    /// The lowest versions that readers may get after this event.
    fn lowest_version(self) -> Version {
        match self {
            Self::Put { version, .. } | Self::Invalidate { version } => version,
            Self::Gone { .. } => GONE.into(),
            // A reader may have read an old version, so its page excludes no version.
            Self::Fill { .. } => Version { product: 0, stock: 0 },
        }
    }

    fn place(self) -> u64 {
        match self {
            Self::Put { place, .. } | Self::Gone { place } => place,
            Self::Invalidate { .. } | Self::Fill { .. } => 0,
        }
    }
}

/// The versions and position of a page; the position of a reader's page is 0.
fn parse(page: &str) -> (Version, u64) {
    let mut numbers = page.split(' ').map(|number| number.parse().unwrap());
    let mut next = || numbers.next().unwrap();
    (Version { product: next(), stock: next() }, next())
}

/// All orders of these events.
fn orders(events: &[Event]) -> Vec<Vec<Event>> {
    if events.is_empty() {
        return vec![Vec::new()];
    }
    let mut all = Vec::new();
    for index in 0..events.len() {
        let mut rest = events.to_vec();
        let first = rest.remove(index);
        all.extend(orders(&rest).into_iter().map(|order| [vec![first], order].concat()));
    }
    all
}

/// Runs the events in every order and returns the possible final pages. Checks after each event that the version of the
/// page is not older than the newest recorded version, and that its position is the last one recorded, or 0 for a
/// reader's page.
fn endings(events: &[Event]) -> Vec<Option<String>> {
    let mut cache = Cache::new();
    let mut endings = Vec::new();
    for order in orders(events) {
        cache.clear();
        let (mut lowest, mut reached, mut shown) = (Version { product: 0, stock: 0 }, 0, None);
        for event in &order {
            // An event at or before the stored position has no effect.
            let late = event.place() > 0 && event.place() <= reached;
            let kept = event.happen(&mut cache);
            if !late {
                let Version { product, stock } = event.lowest_version();
                lowest = Version { product: lowest.product.max(product), stock: lowest.stock.max(stock) };
                reached = reached.max(event.place());
            }
            let page = cache.page();
            if let Some(page) = &page {
                let (version, place) = parse(page);
                let is_current = version.product >= lowest.product && version.stock >= lowest.stock;
                assert!(is_current, "{page} after {event:?} in {order:?}");
                assert!(place == 0 || place == reached, "{page} after {event:?} in {order:?}");
            }
            if matches!(event, Event::Fill { .. }) && shown.is_some() {
                assert!(!kept && page == shown, "{event:?} in {order:?}");
            }
            shown = page;
        }
        if !endings.contains(&shown) {
            endings.push(shown);
        }
    }
    endings.sort();
    endings
}

/// The text of the page of these versions and this position.
fn page_of(version: Version, place: u64) -> String {
    format!("{} {} {place}", version.product, version.stock)
}

fn page(product: u64, place: u64) -> String {
    page_of(product.into(), place)
}

#[test]
fn a_product_that_was_changed_and_reviewed_ends_with_its_last_page() {
    let events = [
        Event::Put { place: 1, version: 1.into() },
        Event::Put { place: 2, version: 2.into() },
        Event::Put { place: 3, version: 2.into() },
        Event::Invalidate { version: 2.into() },
        Event::Fill { version: 1.into() },
        Event::Fill { version: 2.into() },
    ];
    assert_eq!(endings(&events), [Some(page(2, 3))]);
}

/// Lambda may deliver a batch again while an earlier invocation is still processing it.
#[test]
fn repeated_stream_batches_end_with_the_last_page() {
    let events = [
        Event::Put { place: 1, version: 1.into() },
        Event::Put { place: 1, version: 1.into() },
        Event::Put { place: 2, version: 3.into() },
        Event::Put { place: 2, version: 3.into() },
        Event::Invalidate { version: 2.into() },
        Event::Invalidate { version: 3.into() },
    ];
    assert_eq!(endings(&events), [Some(page(3, 2))]);
}

#[test]
fn a_product_that_was_withdrawn_ends_without_a_page() {
    let events = [
        Event::Put { place: 1, version: 1.into() },
        Event::Put { place: 2, version: 1.into() },
        Event::Gone { place: 3 },
        Event::Invalidate { version: GONE.into() },
        Event::Fill { version: 1.into() },
        Event::Fill { version: 1.into() },
    ];
    assert_eq!(endings(&events), [None]);
    // Either of the two events that report the withdrawal suffices.
    for without in [2, 3] {
        let mut events = events.to_vec();
        events.remove(without);
        assert_eq!(endings(&events), [None]);
    }
}

/// A seller changes the product (version 2) and then the stock (version 2 of it); the readers saw each state.
#[test]
fn a_product_and_a_stock_that_were_changed_end_with_the_page_of_both() {
    let of = |product, stock| Version { product, stock };
    let events = [
        Event::Put { place: 1, version: of(1, 1) },
        Event::Put { place: 2, version: of(2, 2) },
        Event::Invalidate { version: of(2, 1) },
        Event::Invalidate { version: of(2, 2) },
        Event::Fill { version: of(2, 1) },
        Event::Fill { version: of(1, 2) },
    ];
    assert_eq!(endings(&events), [Some(page_of(of(2, 2), 2))]);
}

/// The stream has not delivered the newest version yet: readers store its page, and no reader gets an older one.
#[test]
fn a_version_that_was_only_told_ends_with_its_own_page_or_none() {
    let events = [
        Event::Put { place: 1, version: 1.into() },
        Event::Invalidate { version: 2.into() },
        Event::Invalidate { version: 3.into() },
        Event::Fill { version: 2.into() },
        Event::Fill { version: 3.into() },
    ];
    assert_eq!(endings(&events), [None, Some(page(3, 0))]);
}

#[test]
fn all_orders_are_tried() {
    let events = [1, 2, 3, 4].map(|version: u64| Event::Invalidate { version: version.into() });
    let mut orders = orders(&events);
    orders.dedup();
    assert_eq!(orders.len(), 24);
}
