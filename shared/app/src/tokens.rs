//! Access tokens, refresh tokens, and the keys that both are made with.
//!
//! The signing key is derived from a random text in Secrets Manager. Before it signs, an issuer publishes the public
//! key in the table, with the time until which it signs; a verifier reads the table only. A new text in the secret
//! rotates the key: issuers read the secret again every minute, and nobody extends the time of the old key any more.
//! After that time it signs nothing, even for somebody who knows it, and it stays in the table until its last token has
//! expired. A revoked key verifies nothing from the next read on.
//!
//! The key of refresh tokens is derived from the same text. A session outlives it: the table has the hash of the secret
//! that is good.

use crate::{
    client::{Client, Needs},
    context::Context,
    secrets::{self, Derived},
    settings::Settings,
    table::Table,
};
use domain::{
    Error, Timestamp,
    id::VisitorUuid,
    session::{Exchange, RefreshToken},
    user::Caller,
};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use table::PublishedKey;
use web::{
    refresh::RefreshKey,
    token::{self, Authority, Signer, TokenFault, Verified, VerifyingKey},
};

/// How long an issuer signs with a key before it reads the secret again, in seconds.
const SIGNER_SECONDS: u64 = 60;

/// The times until which keys sign are multiples of this, in seconds, so that most publications find one that is late
/// enough and write nothing. A key that is replaced signs nothing after this and twice [`SIGNER_SECONDS`].
const LEASE_SECONDS: u64 = 5 * 60;

/// How long a verifier uses the keys before it reads them again, in seconds: a revoked key verifies nothing after that.
const KNOWN_SECONDS: u64 = 60;

/// The minimum interval between two reads for a key id that is not among them, in seconds, so that a flood of forged
/// tokens does not cause a flood of reads. A new key whose first token comes within it is taken for unknown.
const UNKNOWN_SECONDS: u64 = 1;

const SECRET: &str = "SIGNING_SECRET_ARN";
const ISSUER: &str = "TOKEN_ISSUER";
const AUDIENCE: &str = "TOKEN_AUDIENCE";

/// Issues access tokens and refresh tokens.
pub struct TokenIssuer {
    context: Context,
    table: Table,
    authority: Authority,
    keys: Derived<Keys>,
}

/// The keys that are derived from the signing secret.
struct Keys {
    signer: Signer,
    refresh: RefreshKey,
}

impl TokenIssuer {
    /// An access token for the caller, whose account has this visitor.
    pub async fn issue(
        &self,
        caller: &Caller,
        visitor: Option<VisitorUuid>,
        now: Timestamp,
    ) -> Result<String, Error> {
        self.keys(now).await?.signer.sign(&self.authority, caller, visitor, self.context.random()?, now)
    }

    /// The first refresh token of a new session.
    pub async fn first_refresh_token(&self, caller: &Caller, now: Timestamp) -> Result<RefreshToken, Error> {
        let &Caller { user_id, session_id } = caller;
        let secret = self.keys(now).await?.refresh.first(session_id, self.context.random()?);
        Ok(RefreshToken { user_id, session_id, secret })
    }

    /// The token for which this one is exchanged, and what the table has to know for the exchange.
    pub async fn exchange(
        &self,
        shown: &RefreshToken,
        now: Timestamp,
    ) -> Result<(RefreshToken, Exchange), Error> {
        let keys = self.keys(now).await?;
        let next = RefreshToken { secret: keys.refresh.next(shown), ..*shown };
        let exchange = Exchange {
            shown: token::hash(&shown.secret),
            next: token::hash(&next.secret),
            issued: keys.refresh.issued(shown),
        };
        Ok((next, exchange))
    }

    /// Reads the secret and publishes the key if they are not known, so that the other methods need not wait for it.
    pub async fn prepare(&self, now: Timestamp) -> Result<(), Error> {
        self.keys(now).await?;
        Ok(())
    }

    async fn keys(&self, now: Timestamp) -> Result<Arc<Keys>, Error> {
        let derive = async |secret: String| {
            let signer = self.publish(Signer::from_secret(&secret)?, now).await?;
            Ok(Keys { signer, refresh: RefreshKey::from_secret(&secret) })
        };
        self.keys.get(now, derive).await
    }

    /// Publishes the public key before the first token is signed.
    async fn publish(&self, signer: Signer, now: Timestamp) -> Result<Signer, Error> {
        let end = now.plus_seconds(SIGNER_SECONDS).unix_seconds().next_multiple_of(LEASE_SECONDS);
        let published = PublishedKey {
            kid: signer.kid().to_owned(),
            public: *signer.public(),
            signs_until: Timestamp::from_unix_milliseconds(end * 1000),
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
            keys: Derived::of(context, SECRET, SIGNER_SECONDS)?,
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
    /// The time of the last read for an unknown key id.
    searched_at: Option<Timestamp>,
}

impl KnownKeys {
    fn find(&self, kid: &str) -> Option<VerifyingKey> {
        let key = self.keys.iter().find(|key| key.kid == kid);
        key.map(|key| VerifyingKey { public: key.public, signs_until: key.signs_until })
    }
}

impl TokenVerifier {
    /// The caller and expiry in the token; `None` if the token is not valid.
    pub async fn verify(&self, token: &str, now: Timestamp) -> Result<Option<Verified>, Error> {
        let Some(kid) = token::claimed_kid(token) else { return Ok(None) };
        let Some(key) = self.key(&kid, now).await? else { return Ok(None) };
        match token::verify(token, &key, &self.authority, now) {
            Ok(verified) => Ok(Some(verified)),
            Err(TokenFault::Invalid) => Ok(None),
            // An issuer may have extended the key's time since the last read. Only those who have the key can cause this
            // read, so it has no minimum interval.
            Err(TokenFault::AfterKey) => {
                let key = self.read(&kid, now).await?;
                Ok(key.and_then(|key| token::verify(token, &key, &self.authority, now).ok()))
            }
        }
    }

    /// The key of this id. A key that is not known may be newly published, and one that is known may be revoked.
    async fn key(&self, kid: &str, now: Timestamp) -> Result<Option<VerifyingKey>, Error> {
        {
            let mut known = lock(&self.known);
            let found = known.find(kid);
            let (last, seconds) = match found {
                Some(_) => (known.read_at, KNOWN_SECONDS),
                None => (known.searched_at, UNKNOWN_SECONDS),
            };
            if last.is_some_and(|last| now < last.plus_seconds(seconds)) {
                return Ok(found);
            }
            // The first read of all does not count.
            if found.is_none() && known.read_at.is_some() {
                known.searched_at = Some(now);
            }
        }
        self.read(kid, now).await
    }

    async fn read(&self, kid: &str, now: Timestamp) -> Result<Option<VerifyingKey>, Error> {
        let keys = self.table.signing_keys(now).await?;
        let mut known = lock(&self.known);
        known.keys = keys;
        known.read_at = Some(now);
        Ok(known.find(kid))
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

/// The secret from which the signing key is derived.
pub struct SigningSecret {
    context: Context,
    arn: String,
}

impl SigningSecret {
    /// Puts a new random text into the secret. Returns the id of its key.
    pub async fn replace(&self) -> Result<String, Error> {
        let random: [u8; 32] = self.context.random()?;
        let text = random.iter().fold(String::new(), |text, byte| format!("{text}{byte:02x}"));
        let signer = Signer::from_secret(&text)?;
        secrets::put(self.context.sdk(), &self.arn, text).await?;
        Ok(signer.kid().to_owned())
    }
}

impl Client for SigningSecret {
    const NEEDS: Needs = Needs { settings: &[SECRET], operations: &[] };

    fn new(context: &Context) -> Result<Self, Error> {
        Ok(Self { arn: context.settings().required(SECRET)?, context: context.clone() })
    }
}

fn authority(settings: &Settings) -> Result<Authority, Error> {
    Ok(Authority { issuer: settings.required(ISSUER)?, audience: settings.required(AUDIENCE)? })
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
