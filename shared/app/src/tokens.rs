//! Access tokens and the keys that sign them.
//!
//! The signing key is derived from a random text in Secrets Manager. Before it signs, an issuer publishes the public
//! key in the table with an expiry; a verifier reads the table only. A new text in the secret rotates the key:
//! issuers read the secret again every few minutes, and the old public key stays in the table until it expires, which
//! is after the last token that it verifies.

use crate::{
    client::{Client, Needs},
    context::Context,
    secrets::{Derived, RELOAD_SECONDS},
    settings::Settings,
    table::Table,
};
use domain::{Error, Timestamp, session::ACCESS_SECONDS, user::Caller};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use table::PublishedKey;
use web::token::{self, Authority, Signer, Verified};

/// How long a public key stays valid after an issuer last published it, in seconds.
const KNOWN_SECONDS: u64 = 24 * 60 * 60;

/// The minimum interval between two extensions of a published key's expiry, in seconds: each costs a write unit.
const REPUBLISH_SECONDS: u64 = KNOWN_SECONDS / 2;

/// How long a verifier waits before it reads the keys again for an unknown key id, in seconds, so that a flood of
/// forged tokens does not cause a flood of reads.
const UNKNOWN_SECONDS: u64 = 10;

const _: () = assert!(KNOWN_SECONDS - REPUBLISH_SECONDS > ACCESS_SECONDS + RELOAD_SECONDS);

const SECRET: &str = "SIGNING_SECRET_ARN";
const ISSUER: &str = "TOKEN_ISSUER";
const AUDIENCE: &str = "TOKEN_AUDIENCE";

/// Issues access tokens.
pub struct TokenIssuer {
    context: Context,
    table: Table,
    authority: Authority,
    signer: Derived<Signer>,
}

impl TokenIssuer {
    /// An access token for the caller.
    pub async fn issue(&self, caller: &Caller, now: Timestamp) -> Result<String, Error> {
        self.signer(now).await?.sign(&self.authority, caller, self.context.random()?, now)
    }

    /// Reads and publishes the key if it is not known, so that [`TokenIssuer::issue`] need not wait for it.
    pub async fn prepare(&self, now: Timestamp) -> Result<(), Error> {
        self.signer(now).await?;
        Ok(())
    }

    async fn signer(&self, now: Timestamp) -> Result<Arc<Signer>, Error> {
        self.signer.get(now, async |secret| self.publish(Signer::from_secret(&secret)?, now).await).await
    }

    /// Publishes the public key before the first token is signed.
    async fn publish(&self, signer: Signer, now: Timestamp) -> Result<Signer, Error> {
        // Rounded up to a multiple of the interval: most publications find a stored key that expires no earlier.
        let end = now.plus_seconds(KNOWN_SECONDS).unix_seconds().next_multiple_of(REPUBLISH_SECONDS);
        let published = PublishedKey {
            kid: signer.kid().to_owned(),
            public: *signer.public(),
            expires_at: Timestamp::from_unix_milliseconds(end * 1000),
        };
        self.table.publish_signing_key(&published).await?;
        Ok(signer)
    }
}

impl Client for TokenIssuer {
    const NEEDS: Needs =
        Needs { settings: &["TABLE_NAME", SECRET, ISSUER, AUDIENCE], operations: &["publish_signing_key"] };

    fn new(context: &Context) -> Result<Self, Error> {
        Ok(Self {
            table: context.table()?,
            authority: authority(context.settings())?,
            signer: Derived::of(context, SECRET)?,
            context: context.clone(),
        })
    }
}

/// Verifies access tokens.
pub struct TokenVerifier {
    table: Table,
    authority: Authority,
    known: Mutex<KnownKeys>,
}

/// The public keys of the last read.
#[derive(Default)]
struct KnownKeys {
    keys: Vec<PublishedKey>,
    read_at: Option<Timestamp>,
}

impl TokenVerifier {
    /// The caller and expiry in the token; `None` if the token is not valid.
    pub async fn verify(&self, token: &str, now: Timestamp) -> Result<Option<Verified>, Error> {
        let Some(kid) = token::claimed_kid(token) else { return Ok(None) };
        let key = self.public_key(&kid, now).await?;
        Ok(key.and_then(|key| token::verify(token, &key.public, &self.authority, now)))
    }

    /// The public key of this id. A key that is not cached may be newly published, so the keys are read again.
    async fn public_key(&self, kid: &str, now: Timestamp) -> Result<Option<PublishedKey>, Error> {
        let find =
            |known: &KnownKeys| known.keys.iter().find(|key| key.kid == kid && key.expires_at > now).cloned();
        {
            let known = lock(&self.known);
            let found = find(&known);
            let fresh = known.read_at.is_some_and(|read_at| now < read_at.plus_seconds(UNKNOWN_SECONDS));
            if found.is_some() || fresh {
                return Ok(found);
            }
        }
        let keys = self.table.signing_keys(now).await?;
        let mut known = lock(&self.known);
        *known = KnownKeys { keys, read_at: Some(now) };
        Ok(find(&known))
    }
}

impl Client for TokenVerifier {
    const NEEDS: Needs = Needs { settings: &["TABLE_NAME", ISSUER, AUDIENCE], operations: &["signing_keys"] };

    fn new(context: &Context) -> Result<Self, Error> {
        Ok(Self {
            table: context.table()?,
            authority: authority(context.settings())?,
            known: Mutex::default(),
        })
    }
}

fn authority(settings: &Settings) -> Result<Authority, Error> {
    Ok(Authority { issuer: settings.required(ISSUER)?, audience: settings.required(AUDIENCE)? })
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
