//! Password hashing by Argon2id with OWASP's parameters and a pepper. Hashing blocks for long: do not call it on an
//! async thread.
//!
//! A pepper is a secret that is not in the table, so that hashes alone are not enough to guess passwords. A hash names
//! its pepper in the parameter `keyid` of the PHC string format, so that peppers can be replaced one after the other.

use argon2::{
    Algorithm, Argon2, KeyId, Params, ParamsBuilder, Version,
    password_hash::{
        self, PasswordHasher, PasswordVerifier,
        phc::{Output, PasswordHash},
    },
};
use domain::{Error, password::Password};
use std::collections::BTreeMap;

/// The minimum length of a pepper: 256 bits in base64.
const SHORTEST_PEPPER: usize = 43;

/// The member of the secret that names the pepper of new hashes.
const CURRENT: &str = "current";

/// The peppers, by their key ids.
pub struct Peppers {
    current: String,
    secrets: BTreeMap<String, String>,
}

impl Peppers {
    /// Parses the text of the secret: a JSON object with a member for each pepper, named by its key id, and the member
    /// `current` with the key id for new hashes, as in `{"current": "1", "1": "…"}`.
    pub fn parse(text: &str) -> Result<Self, Error> {
        let secrets: Result<BTreeMap<String, String>, _> = serde_json::from_str(text);
        // The error would contain a part of the secret.
        let mut secrets = secrets.map_err(|_| Error::internal("peppers: not an object of strings"))?;
        let current = secrets.remove(CURRENT).unwrap_or_default();
        if !secrets.contains_key(&current) {
            return Err(Error::internal("peppers: `current` does not name one"));
        }
        let is_good = |(id, secret): (&String, &String)| {
            (1..=KeyId::MAX_LEN).contains(&id.len()) && secret.len() >= SHORTEST_PEPPER
        };
        match secrets.iter().find(|pepper| !is_good(*pepper)) {
            Some((id, _)) => Err(Error::internal(format!("peppers: {id} has a long id or a short secret"))),
            None => Ok(Self { current, secrets }),
        }
    }

    /// Whether the pepper of this hash is known. A hash without a pepper needs none.
    pub fn know(&self, hash: &str) -> Result<bool, Error> {
        let (_, params) = parse(hash)?;
        Ok(self.hasher(params).is_some())
    }

    fn current(&self) -> Result<Params, Error> {
        let key = KeyId::new(self.current.as_bytes()).map_err(internal)?;
        ParamsBuilder::new().keyid(key).build().map_err(internal)
    }

    /// Argon2id with these parameters and the pepper that they name.
    fn hasher(&self, params: Params) -> Option<Argon2<'_>> {
        let (algorithm, version) = (Algorithm::Argon2id, Version::V0x13);
        if params.keyid().is_empty() {
            return Some(Argon2::new(algorithm, version, params));
        }
        let secret = self.secrets.get(std::str::from_utf8(params.keyid()).ok()?)?;
        Argon2::new_with_secret(secret.as_bytes(), algorithm, version, params).ok()
    }
}

/// The result of a verification.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// The password is wrong, or there is no hash.
    Wrong,
    /// The password is right.
    Right,
    /// The password is right, and the hash has another pepper or other parameters than new ones: make a new one.
    RightButOutdated,
}

/// The hash of a password with the current pepper, in the PHC string format.
///
/// `Params::DEFAULT` is 19 MiB, 2 passes, 1 lane:
/// <https://cheatsheetseries.owasp.org/cheatsheets/Password_Storage_Cheat_Sheet.html>.
pub fn hash(password: &Password, peppers: &Peppers) -> Result<String, Error> {
    let hasher = peppers.hasher(peppers.current()?).ok_or_else(|| Error::internal("no current pepper"))?;
    let hash: Result<PasswordHash, _> = hasher.hash_password(password.reveal());
    hash.map(|hash| hash.to_string()).map_err(internal)
}

/// Whether the password matches the hash. Without a hash, a dummy hash is verified and the result is `Wrong`, so that
/// the response time does not reveal whether an account exists.
pub fn verify(password: &Password, hash: Option<&str>, peppers: &Peppers) -> Result<Verdict, Error> {
    let (parsed, params) = parse(hash.unwrap_or(DUMMY_HASH))?;
    let is_current = is_current(&parsed, &params, &peppers.current()?);
    let hasher = peppers.hasher(params).ok_or_else(|| Error::internal("a hash has an unknown pepper"))?;
    match hasher.verify_password(password.reveal(), &parsed) {
        Ok(()) if hash.is_none() => Ok(Verdict::Wrong),
        Ok(()) if is_current => Ok(Verdict::Right),
        Ok(()) => Ok(Verdict::RightButOutdated),
        Err(password_hash::Error::PasswordInvalid) => Ok(Verdict::Wrong),
        Err(error) => Err(internal(error)),
    }
}

fn parse(hash: &str) -> Result<(PasswordHash, Params), Error> {
    let parsed = PasswordHash::new(hash).map_err(internal)?;
    let params = Params::try_from(&parsed).map_err(internal)?;
    Ok((parsed, params))
}

/// Whether a new hash would be made as this one was.
fn is_current(hash: &PasswordHash, params: &Params, current: &Params) -> bool {
    let costs = |params: &Params| (params.m_cost(), params.t_cost(), params.p_cost());
    hash.algorithm == Algorithm::Argon2id.ident()
        && hash.version == Some(Version::V0x13.into())
        && hash.hash.as_ref().map(Output::len) == Some(Params::DEFAULT_OUTPUT_LEN)
        && costs(params) == costs(current)
        && params.keyid() == current.keyid()
}

fn internal(error: impl std::fmt::Display) -> Error {
    Error::internal(format!("argon2: {error}"))
}

/// A hash with the same parameters whose salt and hash are random, so that no known password matches. A pepper makes no
/// difference to the time.
const DUMMY_HASH: &str =
    "$argon2id$v=19$m=19456,t=2,p=1$SRffwqhsHDCwmCN/Z0OwOA$UpEBVmE4J+nPGRDbfdEPCcICqhHCjN7Dsch040t9WdY";

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    const RIGHT: &str = "correct horse battery";

    fn password(text: &str) -> Password {
        Password::for_login(json!(text)).unwrap()
    }

    fn secret(id: &str) -> String {
        format!("the secret of the pepper {id}, {}", "x".repeat(SHORTEST_PEPPER))
    }

    fn peppers(current: &str, ids: &[&str]) -> Peppers {
        let mut text = json!({ "current": current });
        for id in ids {
            text[*id] = secret(id).into();
        }
        Peppers::parse(&text.to_string()).unwrap()
    }

    /// A hash with other parameters than new ones.
    fn hash_with(params: Params) -> String {
        let hasher = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
        let hash: PasswordHash = hasher.hash_password(RIGHT.as_bytes()).unwrap();
        hash.to_string()
    }

    #[test]
    fn only_the_hashed_password_matches() {
        let peppers = peppers("1", &["1"]);
        let hashed = hash(&password(RIGHT), &peppers).unwrap();
        assert!(hashed.starts_with("$argon2id$v=19$m=19456,t=2,p=1,keyid=MQ$"), "{hashed}");
        assert_eq!(verify(&password(RIGHT), Some(&hashed), &peppers), Ok(Verdict::Right));
        assert_eq!(verify(&password("correct horse batterz"), Some(&hashed), &peppers), Ok(Verdict::Wrong));
    }

    #[test]
    fn without_a_hash_no_password_matches() {
        assert_eq!(verify(&password(RIGHT), None, &peppers("1", &["1"])), Ok(Verdict::Wrong));
        let (_, params) = parse(DUMMY_HASH).unwrap();
        assert_eq!(params.to_string(), Params::DEFAULT.to_string());
    }

    #[test]
    fn the_same_password_is_hashed_differently_each_time() {
        let peppers = peppers("1", &["1"]);
        assert_ne!(hash(&password(RIGHT), &peppers), hash(&password(RIGHT), &peppers));
    }

    #[test]
    fn a_hash_is_of_no_use_without_its_pepper() {
        let hashed = hash(&password(RIGHT), &peppers("1", &["1"])).unwrap();
        let other = json!({"current": "1", "1": secret("another")}).to_string();
        assert_eq!(
            verify(&password(RIGHT), Some(&hashed), &Peppers::parse(&other).unwrap()),
            Ok(Verdict::Wrong)
        );
        let bare = hashed.replace(",keyid=MQ", "");
        assert_eq!(verify(&password(RIGHT), Some(&bare), &peppers("1", &["1"])), Ok(Verdict::Wrong));
    }

    #[test]
    fn a_hash_with_an_older_pepper_is_right_but_outdated() {
        let hashed = hash(&password(RIGHT), &peppers("1", &["1"])).unwrap();
        let rotated = peppers("2", &["1", "2"]);
        assert_eq!(rotated.know(&hashed), Ok(true));
        assert_eq!(verify(&password(RIGHT), Some(&hashed), &rotated), Ok(Verdict::RightButOutdated));
        assert_eq!(verify(&password("another one"), Some(&hashed), &rotated), Ok(Verdict::Wrong));
    }

    #[test]
    fn a_hash_without_a_pepper_or_with_other_costs_is_right_but_outdated() {
        let peppers = peppers("1", &["1"]);
        for params in [Params::DEFAULT, Params::new(8 * 1024, 1, 1, None).unwrap()] {
            let hashed = hash_with(params);
            assert_eq!(peppers.know(&hashed), Ok(true));
            let verdict = verify(&password(RIGHT), Some(&hashed), &peppers);
            assert_eq!(verdict, Ok(Verdict::RightButOutdated), "{hashed}");
        }
    }

    #[test]
    fn each_cost_and_the_length_make_a_hash_outdated() {
        let current = peppers("1", &["1"]).current().unwrap();
        let key = || KeyId::new(b"1").unwrap();
        let mut same = ParamsBuilder::new();
        same.keyid(key());
        let outdated = |builder: &ParamsBuilder| {
            let params = builder.build().unwrap();
            let (parsed, params) = parse(&hash_with(params)).unwrap();
            !is_current(&parsed, &params, &current)
        };
        assert!(!outdated(&same));
        assert!(outdated(same.clone().t_cost(1)));
        assert!(outdated(same.clone().m_cost(8 * 1024)));
        assert!(outdated(same.clone().p_cost(2)));
        assert!(outdated(same.clone().output_len(16)));
    }

    #[test]
    fn an_unknown_pepper_is_an_error_and_no_wrong_password() {
        let hashed = hash(&password(RIGHT), &peppers("2", &["2"])).unwrap();
        let peppers = peppers("1", &["1"]);
        assert_eq!(peppers.know(&hashed), Ok(false));
        assert!(verify(&password(RIGHT), Some(&hashed), &peppers).is_err());
    }

    #[test]
    fn a_secret_of_another_form_is_refused_and_not_shown() {
        let short = "s".repeat(SHORTEST_PEPPER - 1);
        for bad in [
            secret("1"),
            json!([secret("1")]).to_string(),
            json!({"1": secret("1")}).to_string(),
            json!({"current": "2", "1": secret("1")}).to_string(),
            json!({"current": "current"}).to_string(),
            json!({"current": "1", "1": short}).to_string(),
            json!({"current": "1", "1": secret("1"), "2": short}).to_string(),
            json!({"current": "", "": secret("1")}).to_string(),
            json!({"current": "123456789", "123456789": secret("1")}).to_string(),
            json!({"current": 1, "1": secret("1")}).to_string(),
        ] {
            let Err(Error::Internal { cause }) = Peppers::parse(&bad).map(|_| ()) else { panic!("{bad}") };
            assert!(
                !cause.contains("xxx") && !cause.contains("sss") && !cause.contains("secret of"),
                "{cause}"
            );
        }
    }
}
