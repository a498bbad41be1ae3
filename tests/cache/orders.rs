//! Runs a few events on a page in every possible order.

use crate::{Cache, GONE};

/// An event on the page of a product. The text of a page is its version and its position in the stream.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Event {
    /// The stream's consumer stores a page of this version, as of this position.
    Put { place: u64, version: u64 },
    /// The stream's consumer records, as of this position, that the product is withdrawn.
    Gone { place: u64 },
    /// A writer records this version.
    Invalidate { version: u64 },
    /// A reader stores a page of this version.
    Fill { version: u64 },
}

impl Event {
    fn happen(self, cache: &mut Cache) -> bool {
        match self {
            Self::Put { place, version } => cache.put(place, version, &format!("{version} {place}")),
            Self::Gone { place } => cache.put(place, GONE, ""),
            Self::Invalidate { version } => cache.invalidate(version),
            Self::Fill { version } => cache.fill(version, &format!("{version} 0")),
        }
    }

    /// The lowest version that readers may get after this event.
    fn lowest_version(self) -> u64 {
        match self {
            Self::Put { version, .. } | Self::Invalidate { version } => version,
            Self::Gone { .. } => GONE,
            // A reader may have read an old version, so its page excludes no version.
            Self::Fill { .. } => 0,
        }
    }

    fn place(self) -> u64 {
        match self {
            Self::Put { place, .. } | Self::Gone { place } => place,
            Self::Invalidate { .. } | Self::Fill { .. } => 0,
        }
    }
}

/// The version and position of a page; the position of a reader's page is 0.
fn parse(page: &str) -> (u64, u64) {
    let (version, place) = page.split_once(' ').unwrap();
    (version.parse().unwrap(), place.parse().unwrap())
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
        let (mut lowest, mut reached, mut shown) = (0, 0, None);
        for event in &order {
            // An event at or before the stored position has no effect.
            let late = event.place() > 0 && event.place() <= reached;
            let kept = event.happen(&mut cache);
            if !late {
                lowest = lowest.max(event.lowest_version());
                reached = reached.max(event.place());
            }
            let page = cache.page();
            if let Some(page) = &page {
                let (version, place) = parse(page);
                assert!(version >= lowest, "{page} after {event:?} in {order:?}");
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

/// The text of the page of this version and position.
fn page(version: u64, place: u64) -> String {
    format!("{version} {place}")
}

#[test]
fn a_product_that_was_changed_and_reviewed_ends_with_its_last_page() {
    let events = [
        Event::Put { place: 1, version: 1 },
        Event::Put { place: 2, version: 2 },
        Event::Put { place: 3, version: 2 },
        Event::Invalidate { version: 2 },
        Event::Fill { version: 1 },
        Event::Fill { version: 2 },
    ];
    assert_eq!(endings(&events), [Some(page(2, 3))]);
}

/// Lambda may deliver a batch again while an earlier invocation is still processing it.
#[test]
fn repeated_stream_batches_end_with_the_last_page() {
    let events = [
        Event::Put { place: 1, version: 1 },
        Event::Put { place: 1, version: 1 },
        Event::Put { place: 2, version: 3 },
        Event::Put { place: 2, version: 3 },
        Event::Invalidate { version: 2 },
        Event::Invalidate { version: 3 },
    ];
    assert_eq!(endings(&events), [Some(page(3, 2))]);
}

#[test]
fn a_product_that_was_withdrawn_ends_without_a_page() {
    let events = [
        Event::Put { place: 1, version: 1 },
        Event::Put { place: 2, version: 1 },
        Event::Gone { place: 3 },
        Event::Invalidate { version: GONE },
        Event::Fill { version: 1 },
        Event::Fill { version: 1 },
    ];
    assert_eq!(endings(&events), [None]);
    // Either of the two events that report the withdrawal suffices.
    for without in [2, 3] {
        let mut events = events.to_vec();
        events.remove(without);
        assert_eq!(endings(&events), [None]);
    }
}

/// The stream has not delivered the newest version yet: readers store its page, and no reader gets an older one.
#[test]
fn a_version_that_was_only_told_ends_with_its_own_page_or_none() {
    let events = [
        Event::Put { place: 1, version: 1 },
        Event::Invalidate { version: 2 },
        Event::Invalidate { version: 3 },
        Event::Fill { version: 2 },
        Event::Fill { version: 3 },
    ];
    assert_eq!(endings(&events), [None, Some(page(3, 0))]);
}

#[test]
fn all_orders_are_tried() {
    let events = [1, 2, 3, 4].map(|version| Event::Invalidate { version });
    let mut orders = orders(&events);
    orders.dedup();
    assert_eq!(orders.len(), 24);
}
