//! The keys of access tokens.
//!
//! The secret is a random text in Secrets Manager from which the signing key follows. A signer makes the public half
//! known in the table, for a while, before it signs; whoever verifies knows nothing but the table. Putting a new text
//! into the secret rotates the key: signers look at the secret every few minutes, and the old public half stays known
//! until it expires, long after the last token that it verifies.

use crate::{App, environment};
use domain::{Error, Timestamp, session::ACCESS_SECONDS, user::Caller};
use std::sync::{Arc, Mutex, PoisonError};
use table::PublishedKey;
use web::token::{self, Authority, Signer, Verified};

/// How long a signer uses a key before it looks whether there is a new one, in seconds.
const RELOAD_SECONDS: u64 = 5 * 60;

/// How long a public key is known after a signer has last vouched for it, in seconds.
const KNOWN_SECONDS: u64 = 24 * 60 * 60;

/// A key is vouched for at most this often, in seconds: publishing costs a write.
const VOUCH_SECONDS: u64 = KNOWN_SECONDS / 2;

/// How long a verifier waits before it asks again for a key that it did not find, in seconds: a flood of forged
/// tokens must not become a flood of reads.
const UNKNOWN_SECONDS: u64 = 10;

const _: () = assert!(KNOWN_SECONDS - VOUCH_SECONDS > ACCESS_SECONDS + RELOAD_SECONDS);

/// What a process remembers of the keys.
#[derive(Default)]
pub struct Signing {
    signer: Mutex<Option<(Arc<Signer>, Timestamp)>>,
    known: Mutex<Known>,
}

/// The public keys, as last read.
#[derive(Default)]
struct Known {
    keys: Vec<PublishedKey>,
    read_at: Option<Timestamp>,
}

impl App {
    /// An access token for the caller.
    pub async fn access_token(&self, caller: &Caller, now: Timestamp) -> Result<String, Error> {
        self.signer(now).await?.sign(&authority()?, caller, self.random()?, now)
    }

    /// Who calls, if the token is good.
    pub async fn verify(&self, token: &str, now: Timestamp) -> Result<Option<Verified>, Error> {
        let Some(kid) = token::claimed_kid(token) else { return Ok(None) };
        let authority = authority()?;
        let key = self.public_key(&kid, now).await?;
        Ok(key.and_then(|key| token::verify(token, &key.public, &authority, now)))
    }

    async fn signer(&self, now: Timestamp) -> Result<Arc<Signer>, Error> {
        if let Some((signer, loaded_at)) = &*lock(&self.signing.signer)
            && now < loaded_at.plus_seconds(RELOAD_SECONDS)
        {
            return Ok(Arc::clone(signer));
        }
        let secret = self.secret(&environment::required("SIGNING_SECRET_ARN")?).await?;
        let signer = Arc::new(Signer::from_secret(&secret)?);
        // Rounding the end up to whole periods makes most publications find the key known for long enough already.
        let end = now.plus_seconds(KNOWN_SECONDS).unix_seconds().next_multiple_of(VOUCH_SECONDS);
        let published = PublishedKey {
            kid: signer.kid().to_owned(),
            public: *signer.public(),
            expires_at: Timestamp::from_unix_milliseconds(end * 1000),
        };
        self.table.publish_signing_key(&published).await?;
        *lock(&self.signing.signer) = Some((Arc::clone(&signer), now));
        Ok(signer)
    }

    /// The public key of this id. A key that is not among those known may have been published since.
    async fn public_key(&self, kid: &str, now: Timestamp) -> Result<Option<PublishedKey>, Error> {
        let find =
            |known: &Known| known.keys.iter().find(|key| key.kid == kid && key.expires_at > now).cloned();
        {
            let known = lock(&self.signing.known);
            let found = find(&known);
            let fresh = known.read_at.is_some_and(|read_at| now < read_at.plus_seconds(UNKNOWN_SECONDS));
            if found.is_some() || fresh {
                return Ok(found);
            }
        }
        let keys = self.table.signing_keys(now).await?;
        let mut known = lock(&self.signing.known);
        *known = Known { keys, read_at: Some(now) };
        Ok(find(&known))
    }
}

fn authority() -> Result<Authority, Error> {
    Ok(Authority {
        issuer: environment::required("TOKEN_ISSUER")?,
        audience: environment::required("TOKEN_AUDIENCE")?,
    })
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
