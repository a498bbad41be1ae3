//! Password hashing by Argon2id with OWASP's parameters. Hashing blocks for long: do not call it on an async thread.

use argon2::{
    Argon2,
    password_hash::{Error, PasswordHasher, PasswordVerifier, phc::PasswordHash},
};
use domain::user::Password;

/// The hash of a password, in the PHC string format.
///
/// `Argon2::default()` is Argon2id version 19 with 19 MiB, 2 passes, 1 lane:
/// <https://cheatsheetseries.owasp.org/cheatsheets/Password_Storage_Cheat_Sheet.html>.
pub fn hash(password: &Password) -> Result<String, domain::Error> {
    let hash: Result<PasswordHash, _> = Argon2::default().hash_password(password.reveal());
    hash.map(|hash| hash.to_string()).map_err(|error| domain::Error::internal(format!("argon2: {error}")))
}

/// Whether the password matches the hash. Without a hash, a dummy hash is verified and the result is false, so that the
/// response time does not reveal whether an account exists.
pub fn verify(password: &Password, hash: Option<&str>) -> Result<bool, domain::Error> {
    let internal = |error| domain::Error::internal(format!("argon2: {error}"));
    let parsed =
        PasswordHash::new(hash.unwrap_or(DUMMY_HASH)).map_err(|error| internal(Error::from(error)))?;
    match Argon2::default().verify_password(password.reveal(), &parsed) {
        Ok(()) => Ok(hash.is_some()),
        Err(Error::PasswordInvalid) => Ok(false),
        Err(error) => Err(internal(error)),
    }
}

/// A hash with the same parameters whose salt and hash are random, so that no known password matches.
const DUMMY_HASH: &str =
    "$argon2id$v=19$m=19456,t=2,p=1$SRffwqhsHDCwmCN/Z0OwOA$UpEBVmE4J+nPGRDbfdEPCcICqhHCjN7Dsch040t9WdY";

#[cfg(test)]
mod tests {
    use super::*;
    use domain::{Input, user::Credentials};

    fn password(text: &str) -> Password {
        let json = serde_json::json!({"email": "a@b.co", "password": text});
        Credentials::from_json(json).unwrap().password
    }

    #[test]
    fn only_the_hashed_password_matches() {
        let hashed = hash(&password("correct horse battery")).unwrap();
        assert!(hashed.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{hashed}");
        assert_eq!(verify(&password("correct horse battery"), Some(&hashed)), Ok(true));
        assert_eq!(verify(&password("correct horse batterz"), Some(&hashed)), Ok(false));
    }

    #[test]
    fn without_a_hash_no_password_matches() {
        assert_eq!(verify(&password("correct horse battery"), None), Ok(false));
        assert!(DUMMY_HASH.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"));
    }

    #[test]
    fn the_same_password_is_hashed_differently_each_time() {
        let password = password("correct horse battery");
        assert_ne!(hash(&password), hash(&password));
    }
}
