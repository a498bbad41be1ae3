//! Client keys, with which sellers publish their running experiments for clients such as GrowthBook's.

use crate::{Timestamp, id::UserId};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde::{Deserialize, Serialize};

/// The maximum number of experiments that a seller runs at a time: all of them are one answer of at most 1,000 products.
pub const MOST_RUNNING: usize = 20;

/// What clients expect before a key.
const PREFIX: &str = "sdk-";

/// The number of random bytes in a key.
const SECRET_BYTES: usize = 16;

/// The key of a seller. Whoever has it reads every test price, and pages of shops show it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ClientKey {
    /// The seller.
    pub owner_id: UserId,
    /// The random part.
    pub secret: String,
    /// When it was made.
    pub created_at: Timestamp,
}

impl ClientKey {
    /// A new key.
    pub fn new(owner_id: UserId, random: [u8; SECRET_BYTES], now: Timestamp) -> Self {
        Self { owner_id, secret: URL_SAFE_NO_PAD.encode(random), created_at: now }
    }

    /// The key as it is in the path.
    pub fn text(&self) -> String {
        format!("{PREFIX}{}.{}", URL_SAFE_NO_PAD.encode(self.owner_id.as_bytes()), self.secret)
    }
}

/// The seller and the random part of the text of a key; `None` for a text that is no key.
pub fn parse(text: &str) -> Option<(UserId, &str)> {
    let (owner, secret) = text.strip_prefix(PREFIX)?.split_once('.')?;
    let owner = URL_SAFE_NO_PAD.decode(owner).ok()?.try_into().ok()?;
    let is_secret = URL_SAFE_NO_PAD.decode(secret).is_ok_and(|bytes| bytes.len() == SECRET_BYTES);
    is_secret.then_some((UserId::from_bytes(owner), secret))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::Id;

    #[test]
    fn a_key_is_read_as_it_was_written_and_no_other_text_is_one() {
        let now = Timestamp::from_unix_milliseconds(1);
        let key = ClientKey::new(UserId::new(now, [1; 10]), [7; 16], now);
        assert_eq!(parse(&key.text()), Some((key.owner_id, key.secret.as_str())));
        let text = key.text();
        for other in ["", "sdk-", "sdk-abc123", &text[1..], &text[..text.len() - 1], &format!("{text}A")] {
            assert_eq!(parse(other), None, "{other}");
        }
    }
}
