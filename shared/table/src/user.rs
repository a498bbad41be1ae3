//! Users: credentials and profiles.

use crate::{
    engine::{
        item::{b, from_item, n, number, s, text, to_item},
        request::Written,
        table::Table,
        transaction::Transacted,
        update::ItemUpdate,
    },
    keys::{self, PK},
    writer::{WRITER, Writer},
};
use domain::{
    Error, Timestamp,
    id::{UserId, VisitorUuid},
    mail_token::TokenUse,
    user::{Email, FIRST_VERSION, User},
};
use serde::{Deserialize, Serialize};

/// The credential of a user, stored under the e-mail address.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Credential {
    /// The user.
    pub user_id: UserId,
    /// Argon2id in PHC string form.
    pub password_hash: String,
    /// When it was shown that the address is the user's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub verified_at: Option<Timestamp>,
}

impl Credential {
    /// The credential of a new account.
    pub fn new(user_id: UserId, password_hash: String) -> Self {
        Self { user_id, password_hash, verified_at: None }
    }
}

pub(crate) const USER_ID: &str = "userId";
pub(crate) const PASSWORD_HASH: &str = "passwordHash";
pub(crate) const VERIFIED_AT: &str = "verifiedAt";
pub(crate) const VERSION: &str = "version";
const DISPLAY_NAME: &str = "displayName";
const VISITOR_ID: &str = "visitorId";

const NO_USER: Error = Error::NotFound { what: "user" };

impl Table {
    /// Stores a new user, unless the e-mail address has an account. An existing account is never changed. Returns whether
    /// the user is stored.
    pub async fn register(&self, user: &User, email: &Email, credential: &Credential) -> Result<bool, Error> {
        let mut account = to_item(credential)?;
        account.extend(keys::credential(email).primary());
        let mut profile = to_item(user)?;
        profile.extend(keys::profile(user.user_id).primary());
        let writes = vec![self.put_if_absent(account)?, self.put_if_absent(profile)?];
        Ok(matches!(self.transact(writes).await?, Transacted::Done))
    }

    /// Replaces the hash of a password by another hash of the same password. A hash that was replaced meanwhile is left
    /// unchanged.
    pub async fn renew_password_hash(&self, email: &Email, from: &str, to: &str) -> Result<(), Error> {
        let update = self
            .client()
            .update_item()
            .set_key(Some(keys::credential(email).primary()))
            .update_expression("SET #hash = :to")
            .condition_expression("#hash = :from")
            .expression_attribute_names("#hash", PASSWORD_HASH)
            .expression_attribute_values(":from", s(from))
            .expression_attribute_values(":to", s(to));
        match self.update(update).await? {
            // A failed condition means that the hash was replaced, possibly by an earlier attempt of this request.
            Written::Done(_) | Written::Refused(_) => Ok(()),
        }
    }

    /// Replaces the hash of a password by that of another password, on the condition that it has not been replaced meanwhile,
    /// and voids the tokens that reset it.
    pub async fn change_password(
        &self,
        user: UserId,
        email: &Email,
        from: &str,
        to: &str,
    ) -> Result<(), Error> {
        let replaced = ItemUpdate {
            key: keys::credential(email),
            update: "SET #passwordHash = :to",
            condition: "#passwordHash = :from AND #userId = :user",
            names: &[PASSWORD_HASH, USER_ID],
            values: vec![("from", s(from)), ("to", s(to)), ("user", s(user.to_string()))],
        };
        let tokens = keys::mail_tokens(TokenUse::PasswordReset, user);
        match self.transact(vec![self.update_if(replaced)?, self.delete_always(tokens)?]).await? {
            Transacted::Done => Ok(()),
            // No other request can have made this hash, because its salt is random.
            Transacted::Refused(_, Some(stored)) if text(&stored, PASSWORD_HASH) == Some(to) => Ok(()),
            Transacted::Refused(..) => Err(Error::unavailable("the password was replaced at the same time")),
        }
    }

    /// Stores the display name of the next version of a user.
    pub async fn rename_user(&self, user: &User, writer: Writer) -> Result<(), Error> {
        let before = user.version - 1;
        let written = self
            .send_update(ItemUpdate {
                key: keys::profile(user.user_id),
                update: "SET #displayName = :name, #version = :version, #writer = :writer",
                // Users that registered before there were versions have none.
                condition: "#version = :before OR attribute_exists(#pk) AND attribute_not_exists(#version) \
                    AND :before = :first",
                names: &[DISPLAY_NAME, VERSION, WRITER, PK],
                values: vec![
                    ("name", s(&user.display_name)),
                    ("version", n(user.version)),
                    ("writer", b(&writer.0)),
                    ("before", n(before)),
                    ("first", n(FIRST_VERSION)),
                ],
            })
            .await?;
        match written {
            Written::Done(_) => Ok(()),
            Written::Refused(Some(stored)) if writer.wrote(&stored) => Ok(()),
            Written::Refused(Some(stored)) => {
                Err(Error::Stale { current: number(&stored, VERSION).unwrap_or(FIRST_VERSION) })
            }
            Written::Refused(None) => Err(NO_USER),
        }
    }

    /// Binds a visitor's id to an account that has none yet. Returns the id that the account has then; `None` if the account
    /// was deleted.
    pub async fn bind_visitor(
        &self,
        user: UserId,
        visitor: VisitorUuid,
    ) -> Result<Option<VisitorUuid>, Error> {
        let written = self
            .send_update(ItemUpdate {
                key: keys::profile(user),
                update: "SET #visitorId = :visitor, #version = if_not_exists(#version, :one) + :one",
                condition: "attribute_exists(#pk) AND attribute_not_exists(#visitorId)",
                names: &[VISITOR_ID, VERSION, PK],
                values: vec![("visitor", s(visitor.to_string())), ("one", n(1))],
            })
            .await?;
        match written {
            Written::Done(_) => Ok(Some(visitor)),
            Written::Refused(stored) => {
                Ok(stored.as_ref().and_then(|stored| text(stored, VISITOR_ID)?.parse().ok()))
            }
        }
    }

    /// The credential of an e-mail address. Strongly consistent, so that a user can log in right after registering.
    pub async fn credential(&self, email: &Email) -> Result<Option<Credential>, Error> {
        self.get_item(keys::credential(email), true).await?.map(from_item).transpose()
    }

    /// The name that other users see; `None` if the account was deleted. Costs as [`Table::user`].
    pub async fn display_name(&self, id: UserId) -> Result<Option<String>, Error> {
        match self.user(id).await {
            Ok(user) => Ok(Some(user.display_name)),
            Err(Error::NotFound { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// A user's profile.
    pub async fn user(&self, id: UserId) -> Result<User, Error> {
        let profile = match self.get_item(keys::profile(id), false).await? {
            Some(profile) => Some(profile),
            // An eventually consistent read may miss a profile that was just written.
            None => self.get_item(keys::profile(id), true).await?,
        };
        profile.map(from_item).transpose()?.ok_or(NO_USER)
    }
}
