//! The secrets of refresh tokens.
//!
//! A secret has 16 bytes that nobody can guess and a tag of 16 bytes, which shows that we issued it. The bytes of the
//! first are random; those of every other follow from the secret before it and from a key, so that two exchanges of one
//! secret give the same successor, and somebody who has an old secret cannot derive a later one.

use aws_lc_rs::{constant_time, hmac};
use domain::{
    id::SessionId,
    session::{RefreshSecret, RefreshToken},
};

const HALF: usize = 16;

/// The key that secrets are derived with, and that their tags are made with.
pub struct RefreshKey(hmac::Key);

impl RefreshKey {
    /// The key of a text with at least 256 bits of entropy.
    pub fn from_secret(secret: &str) -> Self {
        Self(hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes()))
    }

    /// The first secret of a session.
    pub fn first(&self, session: SessionId, random: [u8; HALF]) -> RefreshSecret {
        let mut secret = [0; 2 * HALF];
        secret[..HALF].copy_from_slice(&random);
        secret[HALF..].copy_from_slice(&self.half(b"refresh-token tag", session, &random));
        RefreshSecret(secret)
    }

    /// The secret for which this token's secret is exchanged.
    pub fn next(&self, token: &RefreshToken) -> RefreshSecret {
        self.first(token.session_id, self.half(b"refresh-token next", token.session_id, &token.secret.0))
    }

    /// Whether this key made the tag of this token's secret.
    pub fn issued(&self, token: &RefreshToken) -> bool {
        let (bytes, tag) = token.secret.0.split_at(HALF);
        let expected = self.half(b"refresh-token tag", token.session_id, bytes);
        constant_time::verify_slices_are_equal(&expected, tag).is_ok()
    }

    /// The first half of an HMAC. The purpose has no zero byte, which separates it from what follows.
    fn half(&self, purpose: &[u8], session: SessionId, bytes: &[u8]) -> [u8; HALF] {
        let text = [purpose, &[0], session.as_bytes(), bytes].concat();
        let mut half = [0; HALF];
        half.copy_from_slice(&hmac::sign(&self.0, &text).as_ref()[..HALF]);
        half
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use domain::{
        Timestamp,
        id::{Id, UserId},
    };

    fn key() -> RefreshKey {
        RefreshKey::from_secret("the text of a secret, which is long enough to be one")
    }

    fn other_key() -> RefreshKey {
        RefreshKey::from_secret("the text of another secret, long enough to be one")
    }

    fn token(session: u8, secret: RefreshSecret) -> RefreshToken {
        let at = Timestamp::from_unix_milliseconds(1);
        RefreshToken { user_id: UserId::new(at, [1; 10]), session_id: session_id(session), secret }
    }

    fn session_id(number: u8) -> SessionId {
        SessionId::new(Timestamp::from_unix_milliseconds(1), [number; 10])
    }

    #[test]
    fn a_secret_has_one_successor() {
        let first = token(1, key().first(session_id(1), [7; 16]));
        let second = token(1, key().next(&first));
        assert_eq!(key().next(&first), second.secret);
        assert_ne!(first.secret, second.secret);
        assert_ne!(key().next(&second), second.secret);
    }

    #[test]
    fn the_successor_depends_on_the_key_the_session_and_every_bit_of_the_secret() {
        let first = token(1, key().first(session_id(1), [7; 16]));
        let next = key().next(&first);
        assert_ne!(other_key().next(&first), next);
        assert_ne!(key().next(&token(2, first.secret)), next);
        for byte in 0..32 {
            let mut changed = first;
            changed.secret.0[byte] ^= 1;
            assert_ne!(key().next(&changed), next, "{byte}");
        }
    }

    #[test]
    fn only_what_this_key_issued_for_this_session_is_known() {
        let first = token(1, key().first(session_id(1), [7; 16]));
        let second = token(1, key().next(&first));
        assert!(key().issued(&first) && key().issued(&second));
        assert!(!other_key().issued(&first) && !key().issued(&token(2, first.secret)));
        for byte in 0..32 {
            let mut changed = second;
            changed.secret.0[byte] ^= 1;
            assert!(!key().issued(&changed), "{byte}");
        }
    }
}
