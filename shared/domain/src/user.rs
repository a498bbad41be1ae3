//! Users: e-mail addresses, passwords, profiles, callers.

use crate::{
    Error, Fault, Input, Timestamp, Version,
    id::{SessionId, UserId, VisitorUuid},
    input::{Checked, Members, MergePatch, Revisable},
    password::Password,
    session::TokenPlace,
    text,
    version::Seen,
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
            let display_name = members.required("displayName", display_name);
            if let Some(fault) = password.as_ref().and_then(|password| guessable(password, email.as_ref())) {
                members.fault(fault.under("password"));
            }
            members.finish(|| Some(Self { email: email?, password: password?, display_name: display_name? }))
        };
        read(value).map_err(Error::Invalid)
    }
}

/// A name that other users see.
fn display_name(value: Value) -> Checked<String> {
    text::visible_name(value, 1, 80)
}

/// The fault of a password that is easy to guess for an account with this address.
fn guessable(password: &Password, email: Option<&Email>) -> Option<Fault> {
    let account = email.map(Email::account).unwrap_or_default();
    let local_part = account.split('@').next().unwrap_or_default();
    password.refuse_guessable(&[&account, local_part])
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
    /// When it was shown that the address is the user's. Absent until then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub verified_at: Option<Timestamp>,
    /// The visitor's id that decides which prices the user sees in experiments: that of the first log-in that showed one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub visitor_id: Option<VisitorUuid>,
    /// The version. Users that registered before there were versions have the first one.
    #[serde(default = "first_version")]
    pub version: Version,
}

/// The version of a user who has never changed anything.
pub const FIRST_VERSION: Version = 1;

fn first_version() -> Version {
    FIRST_VERSION
}

impl User {
    /// A user who has just registered.
    pub fn register(user_id: UserId, email: &Email, display_name: String, now: Timestamp) -> Self {
        let email = email.as_written().to_owned();
        Self {
            user_id,
            email,
            display_name,
            created_at: now,
            verified_at: None,
            visitor_id: None,
            version: FIRST_VERSION,
        }
    }

    /// The address for log-in.
    pub fn address(&self) -> Result<Email, Error> {
        // The fault would say what an address looks like, and not what is wrong with this one.
        Email::from_value(self.email.clone().into()).map_err(|_| Error::internal("a user without an address"))
    }

    /// The next version, if the caller has seen the current one. A patch may set the display name.
    pub fn change(&self, patch: MergePatch, seen: &Seen) -> Result<Self, Error> {
        let draft = ProfileDraft { display_name: self.display_name.clone() };
        let current = Revisable { draft: &draft, version: self.version, optional: &[] };
        let (ProfileDraft { display_name }, version) = patch.revise(&current, seen, ProfileDraft::read)?;
        Ok(Self { display_name, version, ..self.clone() })
    }

    /// Refuses a new password that is easy to guess. `member` is the member of the request's body that has it.
    pub fn refuse_guessable(&self, password: &Password, member: &str) -> Result<(), Error> {
        match guessable(password, Some(&self.address()?)) {
            Some(fault) => Err(Error::invalid(fault.under(member))),
            None => Ok(()),
        }
    }
}

/// What a user may change in their profile.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ProfileDraft {
    display_name: String,
}

impl ProfileDraft {
    fn read(value: Value) -> Checked<Self> {
        let mut members = Members::of(value)?;
        let display_name = members.required("displayName", display_name);
        members.finish(|| Some(Self { display_name: display_name? }))
    }
}

/// The body of a request to change the password.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PasswordChange {
    /// The present password.
    pub current: Password,
    /// The new one.
    pub new: Password,
}

impl PasswordChange {
    /// The member with the new password.
    pub const NEW: &str = "newPassword";
}

impl Input for PasswordChange {
    fn from_json(value: Value) -> Result<Self, Error> {
        let read = |value| {
            let mut members = Members::of(value)?;
            let current = members.required("currentPassword", Password::for_login);
            let new = members.required(Self::NEW, Password::for_registration);
            members.finish(|| Some(Self { current: current?, new: new? }))
        };
        read(value).map_err(Error::Invalid)
    }
}

/// The body of a request to delete an account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccountDeletion {
    /// The password of the account; `None` if the session is to suffice.
    pub password: Option<Password>,
}

impl Input for AccountDeletion {
    fn from_json(value: Value) -> Result<Self, Error> {
        let read = |value| {
            let mut members = Members::of(value)?;
            let password = members.optional("password", Password::for_login);
            members.finish(|| Some(Self { password }))
        };
        read(value).map_err(Error::Invalid)
    }
}

/// What everybody may read of a user.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PublicProfile {
    /// The id.
    pub user_id: UserId,
    /// The name that other users see.
    pub display_name: String,
}

impl From<User> for PublicProfile {
    fn from(user: User) -> Self {
        Self { user_id: user.user_id, display_name: user.display_name }
    }
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
    fn a_patch_changes_the_display_name_and_nothing_else() {
        let email = Email::from_value(json!("a@b.co")).unwrap();
        let user_id = crate::id::Id::new(Timestamp::from_unix_milliseconds(1), [1; 10]);
        let user = User::register(user_id, &email, "A".to_owned(), Timestamp::from_unix_milliseconds(1));
        let change = |patch, seen| user.change(MergePatch::from_json(patch).unwrap(), &seen);
        let changed = User { display_name: "B".to_owned(), version: 2, ..user.clone() };
        assert_eq!(change(json!({"displayName": "B"}), Seen::Versions(vec![1])), Ok(changed));
        let stale = change(json!({"displayName": "B"}), Seen::Versions(vec![2]));
        assert_eq!(stale, Err(Error::Stale { current: 1 }));
        for bad in [json!({"displayName": null}), json!({"email": "c@d.co"}), json!({"verifiedAt": null})] {
            assert!(matches!(change(bad.clone(), Seen::Any), Err(Error::Invalid(_))), "{bad}");
        }
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
