//! Security events: what a log line names, so that alarms and people find it.

use crate::{
    id::{SessionId, UserId},
    user::Caller,
};
use serde::Serialize;

/// The name of an event. docs/operations.md says what to do about each.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum SecurityEvent {
    /// A session was opened with a password.
    LoggedIn,
    /// A wrong password, an unknown address, or one that is not verified.
    LoginFailed,
    /// A password was changed, or reset by the token of a mail.
    PasswordChanged,
    /// A user has ended one session or all.
    SessionsEnded,
    /// A user has closed the account.
    AccountDeleted,
    /// A refresh token that was exchanged before: somebody has a copy. The session has ended.
    RefreshReuse,
    /// An access token that claims to be valid now, and that is not: no known key has signed it for this API.
    TokenForged,
    /// A request over a limit.
    LimitExceeded,
    /// A payment that the bank or the provider declined.
    PaymentDeclined,
}

impl SecurityEvent {
    /// Whether the event counts in a metric, for an alarm. Each event that does is a custom metric, and costs as one.
    pub fn is_counted(self) -> bool {
        matches!(self, Self::RefreshReuse | Self::TokenForged)
    }
}

/// Whom a log line is about, as far as it is known. Never an e-mail address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Subject {
    /// The user.
    pub user_id: Option<UserId>,
    /// The session.
    pub session_id: Option<SessionId>,
}

impl Subject {
    /// Nobody is known.
    pub const NOBODY: Self = Self { user_id: None, session_id: None };

    /// A user, outside of a session.
    pub fn user(user_id: UserId) -> Self {
        Self { user_id: Some(user_id), session_id: None }
    }
}

impl From<Caller> for Subject {
    fn from(Caller { user_id, session_id }: Caller) -> Self {
        Self { user_id: Some(user_id), session_id: Some(session_id) }
    }
}
