//! Cursors: where a list goes on.
//!
//! A cursor holds the list that it belongs to and a position within it. The partition that is read always comes from
//! the request, never from the cursor, so that no cursor can move a reader into another partition; one that was given
//! out for another list, or by nobody, is refused.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use domain::id::ProductId;
use std::{fmt::Display, str::FromStr};

/// Changes when the form of cursors does.
const FORM: &str = "1";

/// The longest cursor that is read.
const LONGEST: usize = 512;

/// The cursor of a position in a list. `list` names the list and all that selects its items.
pub fn encode(list: &str, position: &impl Display) -> String {
    URL_SAFE_NO_PAD.encode(format!("{FORM}.{}.{position}", digest(list)))
}

/// The position that a cursor of this list names; `None` for any other cursor.
pub fn decode<P: FromStr>(list: &str, cursor: &str) -> Option<P> {
    if cursor.len() > LONGEST {
        return None;
    }
    let text = String::from_utf8(URL_SAFE_NO_PAD.decode(cursor).ok()?).ok()?;
    let (form, rest) = text.split_once('.')?;
    let (of, position) = rest.split_once('.')?;
    if form != FORM || of != digest(list) {
        return None;
    }
    position.parse().ok()
}

/// The name of the list of a product's reviews.
pub fn reviews_of(product: ProductId) -> String {
    format!("reviews?product={product}")
}

/// Keeps cursors short, whatever the list is called.
fn digest(list: &str) -> String {
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, list.as_bytes());
    URL_SAFE_NO_PAD.encode(&digest.as_ref()[..9])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_goes_on_where_it_was_given_out() {
        let cursor = encode("products?category=a", &42);
        assert_eq!(decode("products?category=a", &cursor), Some(42));
        assert!(cursor.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_'));
    }

    #[test]
    fn other_cursors_are_refused() {
        let elsewhere = encode("products?category=b", &42);
        let not_a_number = encode("products?category=a", &"x");
        for bad in ["", "x", &elsewhere, &not_a_number, &"A".repeat(513), "é"] {
            assert!(decode::<u32>("products?category=a", bad).is_none(), "{bad}");
        }
    }
}
