//! Random changes of the corpus's pages: whatever a host sends, reading it ends, does not panic, and gives an observation
//! that can be true or a reason that a page can give.

#![cfg(test)]

use crate::{Reading, corpus::cases};
use domain::{money::HIGHEST_PRICE, observation::Reason};
use proptest::{collection::vec, prelude::*, sample::Index};

/// Pieces that parsers stumble over.
const PIECES: [&str; 24] = [
    "<",
    ">",
    "\"",
    "'",
    "{",
    "}",
    "[",
    "]",
    ",",
    ":",
    "&",
    "&quot;",
    "<!--",
    "-->",
    "<script type=application/ld+json>",
    "</script>",
    "<div itemscope itemprop=offers>",
    "</div>",
    "<b itemprop=price>",
    "1e999",
    "0",
    "\u{0}",
    "\\u0000",
    "@type",
];

/// A change of a page: what is done at two places of it.
#[derive(Debug, Clone)]
pub(crate) enum Change {
    Delete(Index, Index),
    Repeat(Index, Index, usize),
    Insert(Index, usize),
    Overwrite(Index, u8),
}

pub(crate) fn change() -> impl Strategy<Value = Change> {
    let index = any::<Index>;
    prop_oneof![
        (index(), index()).prop_map(|(from, to)| Change::Delete(from, to)),
        (index(), index(), 2..20_usize).prop_map(|(from, to, times)| Change::Repeat(from, to, times)),
        (index(), 0..PIECES.len()).prop_map(|(at, piece)| Change::Insert(at, piece)),
        (index(), any::<u8>()).prop_map(|(at, byte)| Change::Overwrite(at, byte)),
    ]
}

impl Change {
    pub(crate) fn apply(&self, page: &mut Vec<u8>) {
        let (first, last, with) = match self {
            Self::Delete(from, to) => (from, to, None),
            Self::Repeat(from, to, times) => (from, to, Some(*times)),
            Self::Insert(at, piece) => {
                let at = at.index(page.len() + 1);
                page.splice(at..at, PIECES[*piece].bytes());
                return;
            }
            Self::Overwrite(at, byte) => {
                if !page.is_empty() {
                    let at = at.index(page.len());
                    page[at] = *byte;
                }
                return;
            }
        };
        let (a, b) = (first.index(page.len() + 1), last.index(page.len() + 1));
        let range = a.min(b)..a.max(b);
        let replacement = with.map_or_else(Vec::new, |times| page[range.clone()].repeat(times));
        if page.len() + replacement.len() < 200_000 {
            page.splice(range, replacement);
        }
    }
}

fn assert_possible(reading: &Reading) {
    match &reading.observation {
        Ok(observation) => {
            assert!(observation.name.chars().count() <= 300);
            let amount = observation.price.map(|price| price.amount);
            assert!(amount.is_none_or(|amount| (0..=HIGHEST_PRICE).contains(&amount)));
            assert!(amount.is_some() || (observation.availability.needs_no_price() && !observation.from));
        }
        Err(reason) => assert!(
            matches!(
                reason,
                Reason::NotHtml
                    | Reason::TooComplex
                    | Reason::NoProduct
                    | Reason::SeveralProducts
                    | Reason::NoPrice
                    | Reason::BadPrice
                    | Reason::NoCurrency
                    | Reason::UnknownCurrency
            ),
            "{reason}"
        ),
    }
    let canonical = reading.canonical.as_ref();
    assert!(canonical.is_none_or(|address| address.host() == "shop.com" && !address.is_home()));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 250, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_change_of_a_page_is_read_or_refused(page in any::<Index>(), changes in vec(change(), 1..8)) {
        let cases = cases();
        let case = page.get(&cases);
        let mut body = case.body.clone();
        for change in &changes {
            change.apply(&mut body);
        }
        assert_possible(&case.read(&body));
    }

    #[test]
    fn any_pieces_are_read_or_refused(pieces in vec(0..PIECES.len(), 0..200)) {
        let body: String = pieces.into_iter().map(|piece| PIECES[piece]).collect();
        assert_possible(&cases()[0].read(body.as_bytes()));
    }
}
