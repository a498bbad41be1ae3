//! Access tokens: JWTs (RFC 7519) signed with Ed25519 (EdDSA, RFC 8037). No other algorithm is accepted.

use aws_lc_rs::{
    digest,
    signature::{Ed25519KeyPair, KeyPair},
};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use domain::{
    Error, Timestamp,
    id::{SessionId, UserId, VisitorUuid},
    mail_token::MailToken,
    session::{ACCESS_SECONDS, RefreshSecret},
    user::Caller,
};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use serde::{Deserialize, Serialize};

/// The tolerated clock skew between machines, in seconds. A token issued further in the future is refused.
const SKEW_SECONDS: u64 = 5;

/// The issuer and the audience of tokens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Authority {
    /// `iss`.
    pub issuer: String,
    /// `aud`.
    pub audience: String,
}

/// The minimum length of the secret text: 256 bits in base64.
const SHORTEST_SECRET: usize = 43;

/// The claims of a token.
#[derive(Debug, Serialize, Deserialize)]
struct Claims {
    iss: String,
    aud: String,
    /// The user.
    sub: UserId,
    /// The session.
    sid: SessionId,
    /// Expiration time, in seconds since 1970.
    exp: u64,
    /// Issue time, in seconds since 1970.
    iat: u64,
    /// The time before which it is not valid, in seconds since 1970. Our own tokens have none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    nbf: Option<u64>,
    /// The unique id of the token.
    jti: String,
    /// The visitor of the account, if it has one.
    #[serde(default, rename = "visitorId", skip_serializing_if = "Option::is_none")]
    visitor: Option<VisitorUuid>,
}

/// The content of a verified token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Verified {
    /// The authenticated user.
    pub caller: Caller,
    /// The visitor of the account, which decides the prices of experiments.
    pub visitor: Option<VisitorUuid>,
    /// The expiration time, in seconds since 1970.
    pub expires_at: u64,
}

/// What a token says. Nothing of it is verified.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Claimed {
    /// The caller that the token names.
    pub caller: Caller,
    /// The expiration time, in seconds since 1970.
    pub expires_at: u64,
}

/// The private key that signs tokens.
pub struct Signer {
    kid: String,
    public: [u8; 32],
    key: EncodingKey,
}

/// The bytes that precede the 32-byte seed in the PKCS #8 form of an Ed25519 private key (RFC 8410, section 7).
const PKCS8_PREFIX: [u8; 16] =
    [0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20];

impl Signer {
    /// Derives the key pair from a secret text: the seed is the SHA-256 of the text, so that any generator of random
    /// texts can create keys. The text must have at least 256 bits of entropy, and thus 43 characters.
    pub fn from_secret(secret: &str) -> Result<Self, Error> {
        if secret.len() < SHORTEST_SECRET {
            return Err(Error::internal(format!(
                "a signing secret of fewer than {SHORTEST_SECRET} characters"
            )));
        }
        let seed = digest::digest(&digest::SHA256, secret.as_bytes());
        let pkcs8 = [&PKCS8_PREFIX, seed.as_ref()].concat();
        let pair = Ed25519KeyPair::from_pkcs8(&pkcs8)
            .map_err(|error| Error::internal(format!("signing key: {error}")))?;
        let public: [u8; 32] = pair
            .public_key()
            .as_ref()
            .try_into()
            .map_err(|_| Error::internal("a public key that is not 32 bytes"))?;
        Ok(Self { kid: thumbprint(&public), public, key: EncodingKey::from_ed_der(&pkcs8) })
    }

    /// The key id (`kid`) in the header of tokens: the JWK thumbprint of the public key (RFC 7638).
    pub fn kid(&self) -> &str {
        &self.kid
    }

    /// The public key.
    pub fn public(&self) -> &[u8; 32] {
        &self.public
    }

    /// Signs a token for the caller, whose account has this visitor. It expires [`ACCESS_SECONDS`] after `now`. `token_id`
    /// must be unique.
    pub fn sign(
        &self,
        authority: &Authority,
        caller: &Caller,
        visitor: Option<VisitorUuid>,
        token_id: [u8; 16],
        now: Timestamp,
    ) -> Result<String, Error> {
        let header = Header { kid: Some(self.kid.clone()), ..Header::new(Algorithm::EdDSA) };
        let claims = Claims {
            iss: authority.issuer.clone(),
            aud: authority.audience.clone(),
            sub: caller.user_id,
            sid: caller.session_id,
            exp: now.unix_seconds() + ACCESS_SECONDS,
            iat: now.unix_seconds(),
            nbf: None,
            jti: URL_SAFE_NO_PAD.encode(token_id),
            visitor,
        };
        jsonwebtoken::encode(&header, &claims, &self.key)
            .map_err(|error| Error::internal(format!("signing: {error}")))
    }
}

/// The stored hash of a refresh token's secret: SHA-256. A slow hash is not needed, because the secret is random.
pub fn hash(secret: &RefreshSecret) -> [u8; 32] {
    sha256(&secret.0)
}

/// The stored hash of the secret of a token in a mail: SHA-256, for the same reason.
pub fn hash_of_mail(token: &MailToken) -> [u8; 32] {
    sha256(&token.secret)
}

fn sha256(secret: &[u8; 32]) -> [u8; 32] {
    let digest = digest::digest(&digest::SHA256, secret);
    let mut hash = [0; 32];
    hash.copy_from_slice(digest.as_ref());
    hash
}

fn thumbprint(public: &[u8; 32]) -> String {
    let jwk = format!(r#"{{"crv":"Ed25519","kty":"OKP","x":"{}"}}"#, URL_SAFE_NO_PAD.encode(public));
    URL_SAFE_NO_PAD.encode(digest::digest(&digest::SHA256, jwk.as_bytes()))
}

/// A key that verifies tokens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VerifyingKey {
    /// The Ed25519 public key.
    pub public: [u8; 32],
    /// The time until which the key signs. A token that claims to have been issued later is forged.
    pub signs_until: Timestamp,
}

/// The key id in the header of a token. The signature is not verified.
pub fn claimed_kid(token: &str) -> Option<String> {
    header(token)?.kid
}

/// The content that a token claims. The signature is not verified.
pub fn claimed(token: &str) -> Option<Claimed> {
    let claims = URL_SAFE_NO_PAD.decode(token.split('.').nth(1)?).ok()?;
    let claims: Claims = serde_json::from_slice(&claims).ok()?;
    Some(Claimed { caller: Caller { user_id: claims.sub, session_id: claims.sid }, expires_at: claims.exp })
}

/// The header of a token; `None` for another algorithm, and for any critical extension (RFC 7515, section 4.1.11): we
/// know none.
fn header(token: &str) -> Option<Header> {
    let header = jsonwebtoken::decode_header(token).ok()?;
    (header.alg == Algorithm::EdDSA && header.crit.is_none()).then_some(header)
}

/// Why a token is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TokenFault {
    /// The key signed it, and it is valid but for its issue time, which is after the key's `signs_until`.
    AfterKey,
    /// Anything else.
    Invalid,
}

/// The content of a token that this key signed for this authority, for no longer than [`ACCESS_SECONDS`], and that is
/// valid at `now`.
pub fn verify(
    token: &str,
    key: &VerifyingKey,
    authority: &Authority,
    now: Timestamp,
) -> Result<Verified, TokenFault> {
    let claims = valid_claims(token, &key.public, authority, now).ok_or(TokenFault::Invalid)?;
    if claims.iat > key.signs_until.unix_seconds() {
        return Err(TokenFault::AfterKey);
    }
    let caller = Caller { user_id: claims.sub, session_id: claims.sid };
    Ok(Verified { caller, visitor: claims.visitor, expires_at: claims.exp })
}

fn valid_claims(token: &str, public: &[u8; 32], authority: &Authority, now: Timestamp) -> Option<Claims> {
    header(token)?;
    let mut validation = Validation::new(Algorithm::EdDSA);
    validation.set_issuer(&[&authority.issuer]);
    validation.set_audience(&[&authority.audience]);
    validation.set_required_spec_claims(&["iss", "aud", "sub", "exp"]);
    // The times are checked below against `now`, the time of the request.
    validation.validate_exp = false;
    let public = DecodingKey::from_ed_der(public);
    let claims = jsonwebtoken::decode::<Claims>(token, &public, &validation).ok()?.claims;
    let lifetime = claims.exp.checked_sub(claims.iat)?;
    let (now, latest) = (now.unix_seconds(), now.unix_seconds() + SKEW_SECONDS);
    let good = claims.exp > now
        && claims.iat <= latest
        && claims.nbf.is_none_or(|nbf| nbf <= latest)
        && lifetime <= ACCESS_SECONDS;
    good.then_some(claims)
}

#[cfg(test)]
mod tests {
    use super::*;
    use domain::{id::Id, session::RefreshToken};
    use serde_json::{Value, json};

    const SECRET: &str = "0123456789abcdefghijklmnopqrstuvwxyz0123456789ABCDEFGHIJKLMNOPQR";

    fn authority() -> Authority {
        Authority { issuer: "souk".into(), audience: "souk-api".into() }
    }

    fn now() -> Timestamp {
        Timestamp::from_unix_milliseconds(1_763_659_827_040)
    }

    fn caller() -> Caller {
        Caller { user_id: UserId::new(now(), [1; 10]), session_id: SessionId::new(now(), [2; 10]) }
    }

    fn signer() -> Signer {
        Signer::from_secret(SECRET).unwrap()
    }

    /// A key that has not been replaced yet.
    fn key() -> VerifyingKey {
        VerifyingKey { public: *signer().public(), signs_until: now().plus_seconds(60) }
    }

    fn verified(token: &str) -> Option<Verified> {
        verify(token, &key(), &authority(), now()).ok()
    }

    /// A token with changed claims and a valid signature.
    fn token_with(changes: &Value) -> String {
        let at = now().unix_seconds();
        let mut claims = json!({"iss": "souk", "aud": "souk-api", "sub": caller().user_id, "sid": caller().session_id,
            "exp": at + 900, "iat": at, "jti": "x"});
        domain::input::merge(&mut claims, changes.clone());
        let header = Header { kid: Some(signer().kid), ..Header::new(Algorithm::EdDSA) };
        jsonwebtoken::encode(&header, &claims, &signer().key).unwrap()
    }

    /// A token assembled from its three parts.
    fn token_of(header: &Value, claims: &str, signature: &[u8]) -> String {
        let parts = [
            URL_SAFE_NO_PAD.encode(header.to_string()),
            claims.to_owned(),
            URL_SAFE_NO_PAD.encode(signature),
        ];
        parts.join(".")
    }

    fn claims_of(token: &str) -> String {
        token.split('.').nth(1).unwrap().to_owned()
    }

    #[test]
    fn a_token_verifies_until_it_expires() {
        let token = signer().sign(&authority(), &caller(), None, [7; 16], now()).unwrap();
        let expires_at = now().unix_seconds() + 900;
        assert_eq!(verified(&token), Some(Verified { caller: caller(), visitor: None, expires_at }));
        assert_eq!(claimed_kid(&token).as_deref(), Some(signer().kid()));
        assert_eq!(claimed(&token).unwrap().caller, caller());
        let later = |seconds| verify(&token, &key(), &authority(), now().plus_seconds(seconds));
        assert!(later(899).is_ok());
        assert_eq!(later(900), Err(TokenFault::Invalid));
    }

    #[test]
    fn a_token_has_the_visitor_of_the_account() {
        let visitor = VisitorUuid::new(now(), [3; 10]);
        let token = signer().sign(&authority(), &caller(), Some(visitor), [7; 16], now()).unwrap();
        assert_eq!(verified(&token).unwrap().visitor, Some(visitor));
        let claims: Value =
            serde_json::from_slice(&URL_SAFE_NO_PAD.decode(claims_of(&token)).unwrap()).unwrap();
        assert_eq!(claims["visitorId"], visitor.to_string());
    }

    #[test]
    fn a_token_has_all_its_claims() {
        let token = signer().sign(&authority(), &caller(), None, [7; 16], now()).unwrap();
        let claims: Value =
            serde_json::from_slice(&URL_SAFE_NO_PAD.decode(claims_of(&token)).unwrap()).unwrap();
        for name in ["iss", "aud", "sub", "exp", "iat", "jti"] {
            assert!(!claims[name].is_null(), "{name}");
        }
    }

    #[test]
    fn a_token_without_a_signature_is_refused() {
        let claims = claims_of(&token_with(&json!({})));
        for alg in ["none", "None", "NONE"] {
            let token = token_of(&json!({"alg": alg, "typ": "JWT", "kid": signer().kid()}), &claims, b"");
            assert_eq!((verified(&token), claimed_kid(&token)), (None, None), "{alg}");
        }
    }

    #[test]
    fn hs256_with_the_public_key_is_refused() {
        let key = EncodingKey::from_secret(signer().public());
        let header = Header { kid: Some(signer().kid), ..Header::new(Algorithm::HS256) };
        let claims: Value =
            serde_json::from_slice(&URL_SAFE_NO_PAD.decode(claims_of(&token_with(&json!({})))).unwrap())
                .unwrap();
        let token = jsonwebtoken::encode(&header, &claims, &key).unwrap();
        assert_eq!((verified(&token), claimed_kid(&token)), (None, None));
    }

    #[test]
    fn another_audience_or_issuer_is_refused() {
        assert!(verified(&token_with(&json!({}))).is_some());
        for changes in
            [json!({"aud": "other"}), json!({"iss": "other"}), json!({"aud": null}), json!({"iss": null})]
        {
            assert_eq!(verified(&token_with(&changes)), None, "{changes}");
        }
    }

    #[test]
    fn expired_and_future_tokens_are_refused() {
        let at = now().unix_seconds();
        for changes in [
            json!({"exp": at}),
            json!({"exp": 0}),
            json!({"exp": null}),
            json!({"iat": at + SKEW_SECONDS + 1}),
            json!({"iat": null}),
        ] {
            assert_eq!(verified(&token_with(&changes)), None, "{changes}");
        }
        assert!(verified(&token_with(&json!({"iat": at + SKEW_SECONDS}))).is_some());
    }

    #[test]
    fn another_key_or_changed_claims_are_refused() {
        let token = token_with(&json!({}));
        let other = Signer::from_secret(&SECRET.to_lowercase()).unwrap();
        let other = VerifyingKey { public: *other.public(), ..key() };
        assert_eq!(verify(&token, &other, &authority(), now()), Err(TokenFault::Invalid));
        let changed = token_with(&json!({"sub": UserId::new(now(), [9; 10])}));
        let mixed: Vec<&str> = token.split('.').collect();
        assert_eq!(verified(&[mixed[0], &claims_of(&changed), mixed[2]].join(".")), None);
    }

    #[test]
    fn a_key_in_the_header_is_not_used() {
        let stranger = Signer::from_secret(&SECRET.to_lowercase()).unwrap();
        let good = token_with(&json!({}));
        let claims: Value =
            serde_json::from_slice(&URL_SAFE_NO_PAD.decode(claims_of(&good)).unwrap()).unwrap();
        let public = URL_SAFE_NO_PAD.encode(stranger.public());
        let jwk = json!({"kty": "OKP", "crv": "Ed25519", "x": public});
        let plain = Header { kid: Some(signer().kid), ..Header::new(Algorithm::EdDSA) };
        for header in [
            Header { jwk: Some(serde_json::from_value(jwk).unwrap()), ..plain.clone() },
            Header { jku: Some("https://keys.example/jwks.json".into()), ..plain },
        ] {
            let token = jsonwebtoken::encode(&header, &claims, &stranger.key).unwrap();
            assert_eq!(verified(&token), None, "{header:?}");
        }
    }

    #[test]
    fn a_refresh_token_is_no_access_token() {
        let Caller { user_id, session_id } = caller();
        let token = RefreshToken { user_id, session_id, secret: RefreshSecret([3; 32]) }.encode();
        assert_eq!((verified(&token), claimed(&token)), (None, None));
    }

    #[test]
    fn malformed_tokens_are_refused() {
        for text in ["", ".", "..", "a.b.c", "Bearer x"] {
            assert_eq!((verified(text), claimed_kid(text)), (None, None), "{text}");
        }
    }

    /// All machines that hold the secret sign with the same key.
    #[test]
    fn the_key_is_derived_from_the_secret() {
        assert_eq!(signer().kid(), Signer::from_secret(SECRET).unwrap().kid());
        assert_ne!(signer().kid(), Signer::from_secret(&SECRET.to_lowercase()).unwrap().kid());
    }

    #[test]
    fn a_secret_of_fewer_than_43_characters_is_refused() {
        assert!(Signer::from_secret(&SECRET[..43]).is_ok());
        assert!(Signer::from_secret(&SECRET[..42]).is_err());
    }

    #[test]
    fn a_token_that_is_valid_for_more_than_15_minutes_is_refused() {
        let at = now().unix_seconds();
        assert!(verified(&token_with(&json!({"exp": at + 900}))).is_some());
        for changes in [
            json!({"exp": at + 901}),
            json!({"exp": at + 60, "iat": at - 841}),
            json!({"exp": u64::MAX}),
            json!({"exp": u64::MAX, "iat": u64::MAX}),
            json!({"exp": at + 1, "iat": at + 2}),
        ] {
            assert_eq!(verified(&token_with(&changes)), None, "{changes}");
        }
    }

    #[test]
    fn a_token_is_refused_before_its_time() {
        let at = now().unix_seconds();
        for (nbf, good) in [
            (json!(at - 1), true),
            (json!(at + SKEW_SECONDS), true),
            (json!(at + SKEW_SECONDS + 1), false),
            (json!("soon"), false),
            (json!(-1), false),
        ] {
            assert_eq!(verified(&token_with(&json!({"nbf": nbf}))).is_some(), good, "{nbf}");
        }
    }

    #[test]
    fn a_critical_extension_is_refused() {
        let claims = claims_of(&token_with(&json!({})));
        let token = |crit: Value| {
            let mut header = json!({"alg": "EdDSA", "typ": "JWT", "kid": signer().kid()});
            domain::input::merge(&mut header, crit);
            let message = format!("{}.{claims}", URL_SAFE_NO_PAD.encode(header.to_string()));
            let signature = jsonwebtoken::crypto::sign(message.as_bytes(), &signer().key, Algorithm::EdDSA);
            format!("{message}.{}", signature.unwrap())
        };
        assert!(verified(&token(json!({}))).is_some());
        for crit in [json!(["exp"]), json!(["b64"]), json!([]), json!("exp"), json!([7])] {
            let token = token(json!({ "crit": crit, "b64": true }));
            assert_eq!((verified(&token), claimed_kid(&token)), (None, None), "{crit}");
        }
    }

    /// Somebody who has the secret of a key that was replaced can sign, but not for a time in which nobody signs.
    #[test]
    fn a_key_that_was_replaced_signs_nothing_any_more() {
        let until = |seconds| VerifyingKey { signs_until: now().plus_seconds(seconds), ..key() };
        let at = |seconds| {
            signer().sign(&authority(), &caller(), None, [7; 16], now().plus_seconds(seconds)).unwrap()
        };
        let later = now().plus_seconds(100);
        assert!(verify(&at(60), &until(60), &authority(), later).is_ok());
        assert_eq!(verify(&at(61), &until(60), &authority(), later), Err(TokenFault::AfterKey));
        let expired = now().plus_seconds(61 + ACCESS_SECONDS);
        assert_eq!(verify(&at(61), &until(60), &authority(), expired), Err(TokenFault::Invalid));
    }

    /// The example of RFC 8037, appendix A.3.
    #[test]
    fn the_key_id_is_a_jwk_thumbprint() {
        let public = URL_SAFE_NO_PAD.decode("11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo").unwrap();
        assert_eq!(thumbprint(&public.try_into().unwrap()), "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k");
    }
}
