//! Idempotency keys: a request with a key takes effect once, even if the client sends it several times.

use crate::{Error, Fault};
use serde::{Deserialize, Serialize};

/// The lifetime of a key, in seconds.
pub const KEY_SECONDS: u64 = 24 * 60 * 60;

/// An idempotency key: 1 to 255 visible ASCII characters, chosen by the client. Its scope is the user and the
/// operation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IdempotencyKey(String);

impl IdempotencyKey {
    /// Parses the value of the `Idempotency-Key` header.
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

/// The identity of a request with an idempotency key: the key and a hash of the body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Idempotency {
    /// The client's key.
    pub key: IdempotencyKey,
    /// SHA-256 of the body in canonical JSON, so that the order of members and white space do not matter.
    pub fingerprint: [u8; 32],
}

/// A response that is stored to be replayed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoredResponse {
    /// The HTTP status.
    pub status: u16,
    /// The stored header fields, as names and values.
    pub headers: Vec<(String, String)>,
    /// The body, a JSON text.
    pub body: String,
}

/// The result of a request with an idempotency key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Creation {
    /// This request took effect.
    New,
    /// An earlier request with the same key took effect, with this response.
    Replayed(StoredResponse),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_visible_ascii() {
        assert!(IdempotencyKey::parse("4f1b-a~!").is_ok());
        for bad in ["", " ", "a b", "ä", "a\tb", &"a".repeat(256)] {
            assert!(IdempotencyKey::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_key_is_kept_as_it_was_sent_for_a_day() {
        assert_eq!(IdempotencyKey::parse("4f1b").map(|key| key.as_str().to_owned()), Ok("4f1b".to_owned()));
        assert_eq!(KEY_SECONDS, 86_400);
    }
}
