//! Pagination cursors.
//!
//! A cursor contains a digest of its list and a position in the list. The partition to read always comes from the
//! request, never from the cursor, so a cursor cannot move a reader into another partition. Cursors of other lists and
//! malformed cursors are refused.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use domain::id::ProductId;
use std::{fmt::Display, str::FromStr};

/// The version of the cursor format.
const FORMAT: &str = "1";

/// The maximum length of a cursor, in bytes.
const LONGEST: usize = 512;

/// The cursor of a position in a list. `list` names the list, including all filters.
pub fn encode(list: &str, position: &impl Display) -> String {
    URL_SAFE_NO_PAD.encode(format!("{FORMAT}.{}.{position}", digest(list)))
}

/// The position in a cursor of this list; `None` for any other cursor.
pub fn decode<P: FromStr>(list: &str, cursor: &str) -> Option<P> {
    if cursor.len() > LONGEST {
        return None;
    }
    let text = String::from_utf8(URL_SAFE_NO_PAD.decode(cursor).ok()?).ok()?;
    let (form, rest) = text.split_once('.')?;
    let (of, position) = rest.split_once('.')?;
    if form != FORMAT || of != digest(list) {
        return None;
    }
    position.parse().ok()
}

/// The name of the list of a product's reviews.
pub fn reviews_of(product: ProductId) -> String {
    format!("reviews?product={product}")
}

/// A digest of the list's name, so that the length of cursors does not depend on the name.
fn digest(list: &str) -> String {
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, list.as_bytes());
    URL_SAFE_NO_PAD.encode(&digest.as_ref()[..9])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_round_trips_in_its_list() {
        let cursor = encode("products?category=a", &42);
        assert_eq!(decode("products?category=a", &cursor), Some(42));
        assert!(cursor.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_'));
    }

    #[test]
    fn cursors_of_other_lists_and_malformed_cursors_are_refused() {
        let other_list = encode("products?category=b", &42);
        let not_a_number = encode("products?category=a", &"x");
        for bad in ["", "x", &other_list, &not_a_number, &"A".repeat(513), "é"] {
            assert!(decode::<u32>("products?category=a", bad).is_none(), "{bad}");
        }
    }
}
