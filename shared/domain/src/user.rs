//! Users: e-mail addresses, passwords, profiles, callers.

use crate::{
    Error, Fault, Input, Timestamp,
    id::{SessionId, UserId},
    input::{Checked, Members},
    text,
};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::fmt;

/// The authenticated user of a request, from its access token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Caller {
    /// The user.
    pub user_id: UserId,
    /// The session of the token.
    pub session_id: SessionId,
}

impl Caller {
    /// Fails with `Forbidden` and this detail unless the caller is the owner.
    pub fn must_be(&self, owner: UserId, detail: &'static str) -> Result<(), Error> {
        if self.user_id == owner { Ok(()) } else { Err(Error::Forbidden { detail }) }
    }
}

/// An e-mail address. Addresses that differ only in case belong to one account.
///
/// `Debug` does not print the address, and there is no `Display`, so that it cannot reach a log by accident.
#[derive(Clone, PartialEq, Eq)]
pub struct Email(String);

impl Email {
    /// Parses `local@domain`: at most 254 characters (RFC 5321), with an ASCII dot-atom as local part (RFC 5322).
    pub fn from_value(value: Value) -> Checked<Self> {
        let text = text::string(value)?;
        if is_email(&text) {
            Ok(Self(text))
        } else {
            Err(vec![Fault::here("must be an e-mail address, as in name@example.com")])
        }
    }

    /// The address as the user wrote it.
    pub fn as_written(&self) -> &str {
        &self.0
    }

    /// The address in lower case, which identifies the account.
    pub fn account(&self) -> String {
        self.0.to_ascii_lowercase()
    }
}

impl fmt::Debug for Email {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Email(…)")
    }
}

fn is_email(text: &str) -> bool {
    let Some((local, domain)) = text.split_once('@') else { return false };
    text.len() <= 254
        && local.split('.').all(|atom| !atom.is_empty() && atom.bytes().all(is_atom_text))
        && text::is_domain(domain)
}

/// `atext` of RFC 5322.
fn is_atom_text(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-/=?^_`{|}~".contains(&byte)
}

/// A plain-text password. `Debug` does not print it, and there is no `Display`, so that it cannot reach a log by
/// accident.
#[derive(Clone, PartialEq, Eq)]
pub struct Password(String);

impl Password {
    /// A new password: 12 to 128 characters of any kind.
    fn for_registration(value: Value) -> Checked<Self> {
        Self::of_length(value, 12)
    }

    /// A password of a log-in attempt: 1 to 128 characters. A password too short for registration is wrong credentials,
    /// not an invalid request.
    fn for_login(value: Value) -> Checked<Self> {
        Self::of_length(value, 1)
    }

    fn of_length(value: Value, shortest: usize) -> Checked<Self> {
        let text = text::string(value)?;
        if (shortest..=128).contains(&text.chars().count()) {
            Ok(Self(text))
        } else {
            Err(vec![Fault::here(format!("must have {shortest} to 128 characters"))])
        }
    }

    /// The bytes of the password, for hashing.
    pub fn reveal(&self) -> &[u8] {
        self.0.as_bytes()
    }
}

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Password(…)")
    }
}

/// The body of a registration request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Registration {
    /// The address for log-in.
    pub email: Email,
    /// The password for log-in.
    pub password: Password,
    /// The name that other users see.
    pub display_name: String,
}

impl Input for Registration {
    fn from_json(value: Value) -> Result<Self, Error> {
        let read = |value| {
            let mut members = Members::of(value)?;
            let email = members.required("email", Email::from_value);
            let password = members.required("password", Password::for_registration);
            let display_name = members.required("displayName", |value| text::line(value, 1, 80));
            members.finish(|| Some(Self { email: email?, password: password?, display_name: display_name? }))
        };
        read(value).map_err(Error::Invalid)
    }
}

/// The body of a log-in request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Credentials {
    /// The registered address.
    pub email: Email,
    /// The password to verify.
    pub password: Password,
}

impl Input for Credentials {
    fn from_json(value: Value) -> Result<Self, Error> {
        let read = |value| {
            let mut members = Members::of(value)?;
            let email = members.required("email", Email::from_value);
            let password = members.required("password", Password::for_login);
            members.finish(|| Some(Self { email: email?, password: password? }))
        };
        read(value).map_err(Error::Invalid)
    }
}

/// A registered user, as the user reads it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct User {
    /// The id.
    pub user_id: UserId,
    /// The address for log-in, as the user wrote it.
    pub email: String,
    /// The name that other users see.
    pub display_name: String,
    /// The time of registration.
    pub created_at: Timestamp,
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn email_addresses_are_validated() {
        for good in ["a@b.co", "First.Last+tag@Sub.Example.com", "o'neil@example.org"] {
            assert!(Email::from_value(json!(good)).is_ok(), "{good}");
        }
        let long = format!("{}@example.com", "a".repeat(250));
        for bad in [
            "",
            "a",
            "a@b",
            "@b.co",
            "a@",
            "a b@c.de",
            "a..b@c.de",
            ".a@c.de",
            "a@-b.co",
            "a@b..co",
            "ä@b.co",
            &long,
        ] {
            assert!(Email::from_value(json!(bad)).is_err(), "{bad}");
        }
    }

    #[test]
    fn addresses_that_differ_in_case_are_one_account() {
        let account = |text: &str| Email::from_value(json!(text)).unwrap().account();
        assert_eq!(account("A@B.Co"), account("a@b.cO"));
    }

    #[test]
    fn passwords_have_12_to_128_characters() {
        for (length, fits) in [(11, false), (12, true), (128, true), (129, false)] {
            assert_eq!(Password::for_registration(json!("é".repeat(length))).is_ok(), fits, "{length}");
        }
    }

    #[test]
    fn secrets_do_not_print() {
        let read = Registration::from_json(
            json!({"email": "a@b.co", "password": "correct horse", "displayName": "A"}),
        );
        let printed = format!("{read:?}");
        assert!(!printed.contains("horse") && !printed.contains("a@b.co"), "{printed}");
    }

    #[test]
    fn all_faults_of_a_registration_are_reported_at_once() {
        let read = Registration::from_json(json!({"email": "a", "password": "short", "role": "admin"}));
        assert!(matches!(read, Err(Error::Invalid(faults)) if faults.len() == 4));
    }
}
