//! Requests that carry an idempotency key are carried out once, however often they are sent.

use crate::{Error, Fault};
use serde::{Deserialize, Serialize};

/// How long a key is remembered, in seconds.
pub const KEY_SECONDS: u64 = 24 * 60 * 60;

/// A key that a client chose: 1 to 255 visible ASCII characters. It belongs to the user and the operation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Key(String);

impl Key {
    /// Reads the value of the `Idempotency-Key` header.
    pub fn parse(text: &str) -> Result<Self, Error> {
        if (1..=255).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_graphic()) {
            Ok(Self(text.to_owned()))
        } else {
            let fault = Fault::header("Idempotency-Key", "must be 1 to 255 visible ASCII characters");
            Err(Error::invalid(fault))
        }
    }

    /// The key.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A request with a key, reduced to what tells it from another: the key and a hash of the body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Once {
    /// The client's key.
    pub key: Key,
    /// SHA-256 of the body in canonical JSON: order of members and white space do not make another request.
    pub fingerprint: [u8; 32],
}

/// A response that is kept to be given again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Answer {
    /// The HTTP status.
    pub status: u16,
    /// Header fields besides those that every response has.
    pub headers: Vec<(String, String)>,
    /// The JSON text.
    pub body: String,
}

/// What became of a request with a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// It was carried out now.
    Done,
    /// It was carried out before, with this answer.
    Replayed(Answer),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_visible_ascii() {
        assert!(Key::parse("4f1b-a~!").is_ok());
        for bad in ["", " ", "a b", "ä", "a\tb", &"a".repeat(256)] {
            assert!(Key::parse(bad).is_err(), "{bad}");
        }
    }
}
