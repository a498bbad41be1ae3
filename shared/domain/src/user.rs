//! Users: e-mail addresses, passwords, profiles, callers.

use crate::{
    Error, Fault, Input, Timestamp,
    id::{SessionId, UserId},
    input::{Checked, Members},
    password::Password,
    session::TokenPlace,
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
            let display_name = members.required("displayName", |value| text::visible_name(value, 1, 80));
            let account = email.as_ref().map(Email::account).unwrap_or_default();
            let local_part = account.split('@').next().unwrap_or_default();
            let guessable =
                password.as_ref().and_then(|password| password.refuse_guessable(&[&account, local_part]));
            if let Some(fault) = guessable {
                members.fault(fault.under("password"));
            }
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
    /// Where the client keeps the refresh token of its session.
    pub refresh_token_in: TokenPlace,
}

impl Input for Credentials {
    fn from_json(value: Value) -> Result<Self, Error> {
        let read = |value| {
            let mut members = Members::of(value)?;
            let email = members.required("email", Email::from_value);
            let password = members.required("password", Password::for_login);
            let place = members.optional("refreshTokenIn", TokenPlace::from_value).unwrap_or_default();
            members.finish(|| Some(Self { email: email?, password: password?, refresh_token_in: place }))
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
    use crate::FaultLocation;
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

    #[test]
    fn a_guessable_password_is_reported_with_all_other_faults() {
        let faults = |email: &str, password: &str| {
            let body = json!({"email": email, "password": password, "displayName": ""});
            let Err(Error::Invalid(faults)) = Registration::from_json(body) else { panic!() };
            faults.into_iter().map(|fault| fault.location).collect::<Vec<_>>()
        };
        let at = |members: &[&str]| {
            members.iter().map(|member| FaultLocation::Body(format!("/{member}"))).collect::<Vec<_>>()
        };
        assert_eq!(faults("a@b.co", "password1234"), at(&["displayName", "password"]));
        assert_eq!(faults("a", "password1234"), at(&["email", "displayName", "password"]));
        assert_eq!(faults("my.own.address@b.co", "my.own.address"), at(&["displayName", "password"]));
    }
}
