//! Access tokens that the authorizer accepts or refuses.

use crate::{
    account::mails,
    own_instance::OwnInstance,
    souk::{Call, SOUK, Souk, User},
};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use domain::{Timestamp, user::Caller};
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use serde_json::{Value, json};
use std::time::{SystemTime, UNIX_EPOCH};
use web::token::{Authority, Signer};

fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    Timestamp::from_unix_milliseconds(since.as_millis().try_into().unwrap())
}

fn status_with(souk: &Souk, token: &str) -> u16 {
    souk.send(Call::new("GET", "/users/me").header("authorization", &format!("Bearer {token}"))).status
}

/// The header (0) or the claims (1) of a token.
pub fn part(token: &str, index: usize) -> Value {
    let part = token.split('.').nth(index).unwrap();
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap()
}

/// The signing key of the deployed functions.
fn signer(souk: &Souk) -> Signer {
    let secret = souk.aws(
        "secretsmanager",
        "secretsmanager.GetSecretValue",
        &json!({"SecretId": souk.output("SigningSecretArn")}),
    );
    Signer::from_secret(secret["SecretString"].as_str().unwrap()).unwrap()
}

/// A token with the claims of the user's own token, issued at this time, for this audience.
fn forged(user: &User, signer: &Signer, audience: Option<&str>, at: Timestamp) -> String {
    let claims = part(&user.token, 1);
    let text = |name: &str| claims[name].as_str().unwrap().to_owned();
    let authority =
        Authority { issuer: text("iss"), audience: audience.map_or_else(|| text("aud"), str::to_owned) };
    let caller = Caller { user_id: text("sub").parse().unwrap(), session_id: text("sid").parse().unwrap() };
    signer.sign(&authority, &caller, None, [1; 16], at).unwrap()
}

#[test]
fn a_token_says_what_the_contract_says() {
    let user = SOUK.user();
    let (header, claims) = (part(&user.token, 0), part(&user.token, 1));
    assert_eq!((header["alg"].as_str(), header["kid"].as_str()), (Some("EdDSA"), Some(signer(&SOUK).kid())));
    assert_eq!(claims["sub"], user.id);
    assert_eq!(claims["exp"].as_u64().unwrap() - claims["iat"].as_u64().unwrap(), 900);
    for name in ["iss", "aud", "jti"] {
        assert!(claims[name].is_string(), "{name}");
    }
}

#[test]
fn only_a_token_of_the_right_key_audience_and_time_is_let_through() {
    let user = SOUK.user();
    let signer = signer(&SOUK);
    let stranger = Signer::from_secret("another secret, which is long enough to be one").unwrap();
    assert_eq!(status_with(&SOUK, &forged(&user, &signer, None, now())), 200);
    let hour_ago = Timestamp::from_unix_milliseconds(now().unix_milliseconds() - 3_600_000);
    let refused = [
        ("wrong audience", forged(&user, &signer, Some("other"), now())),
        ("expired", forged(&user, &signer, None, hour_ago)),
        ("future", forged(&user, &signer, None, now().plus_seconds(3600))),
        ("another key", forged(&user, &stranger, None, now())),
        ("no token", "x".into()),
        ("empty", String::new()),
    ];
    for (what, token) in refused {
        let status = status_with(&SOUK, &token);
        assert!(status == 403 || token.is_empty() && status == 401, "{what}: {status}");
    }
}

#[test]
fn the_algorithm_is_pinned() {
    let user = SOUK.user();
    let signer = signer(&SOUK);
    let claims = part(&user.token, 1);
    let none = json!({"alg": "none", "typ": "JWT", "kid": signer.kid()});
    let unsigned = format!(
        "{}.{}.",
        URL_SAFE_NO_PAD.encode(none.to_string()),
        URL_SAFE_NO_PAD.encode(claims.to_string())
    );
    let header = Header { kid: Some(signer.kid().to_owned()), ..Header::new(Algorithm::HS256) };
    let hs256 = jsonwebtoken::encode(&header, &claims, &EncodingKey::from_secret(signer.public())).unwrap();
    for token in [unsigned, hs256] {
        assert_eq!(status_with(&SOUK, &token), 403);
    }
}

#[test]
fn changed_claims_are_refused() {
    let (user, victim) = (SOUK.user(), SOUK.user());
    let mut claims = part(&user.token, 1);
    claims["sub"] = victim.id.into();
    let parts: Vec<_> = user.token.split('.').collect();
    let token = [parts[0], &URL_SAFE_NO_PAD.encode(claims.to_string()), parts[2]].join(".");
    assert_eq!(status_with(&SOUK, &token), 403);
}

#[test]
fn a_key_is_rotated_while_its_tokens_stay_good() {
    let mut own = OwnInstance::lease(&[]);
    let user = own.souk.user();
    let secret = own.souk.output("SigningSecretArn").to_owned();
    let put = json!({"SecretId": secret, "SecretString": "a new random text, long enough to be a secret, for the test"});
    own.souk.aws("secretsmanager", "secretsmanager.PutSecretValue", &put);
    // Functions keep the secret in memory and read it again after a few minutes only; a new process reads it at once.
    own.restart();
    let session = own.souk.log_in(&user.email);
    let new = session.body["accessToken"].as_str().unwrap();
    assert_ne!(part(new, 0)["kid"], part(&user.token, 0)["kid"]);
    assert_eq!(status_with(&own.souk, new), 200);
    assert_eq!(status_with(&own.souk, &user.token), 200);
    // The restart has changed the ports, which are a part of the URLs of queues.
    assert_eq!(mails(&own.souk, &own.souk.user().email, 1).len(), 1);
}

/// What an operator does when the secret may be known to others.
#[test]
fn a_revoked_key_verifies_nothing_and_users_log_in_again() {
    let mut own = OwnInstance::lease(&[]);
    let user = own.souk.user();
    assert_eq!(status_with(&own.souk, &user.token), 200);
    let stolen = signer(&own.souk);
    let output = own.souk.invoke("signing-key-revoke", &json!({}));
    assert_eq!((output["revoked"].as_u64(), output["kid"] == stolen.kid()), (Some(1), false), "{output}");
    // Functions keep keys for a minute; after a restart they read them.
    own.restart();
    let refresh = json!({"refreshToken": user.refresh});
    let refreshed = own.souk.send(Call::new("POST", "/sessions/refresh").json(&refresh));
    for session in [refreshed, own.souk.log_in(&user.email)] {
        let token = session.body["accessToken"].as_str().unwrap();
        assert_eq!(part(token, 0)["kid"], output["kid"]);
        assert_eq!(status_with(&own.souk, token), 200);
    }
    assert_eq!(status_with(&own.souk, &user.token), 403);
    assert_eq!(status_with(&own.souk, &forged(&user, &stolen, None, now())), 403);
}
