//! Users: credentials and profiles.

use crate::{
    engine::{
        item::{from_item, s, to_item},
        request::Written,
        table::Table,
        transaction::Transacted,
    },
    keys,
};
use domain::{
    Error,
    id::UserId,
    user::{Email, User},
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
}

const PASSWORD_HASH: &str = "passwordHash";

impl Table {
    /// Stores a new user, unless the e-mail address has an account. An existing account is never changed.
    pub async fn register(&self, user: &User, email: &Email, credential: &Credential) -> Result<(), Error> {
        let mut account = to_item(credential)?;
        account.extend(keys::credential(email).primary());
        let mut profile = to_item(user)?;
        profile.extend(keys::profile(user.user_id).primary());
        let writes = vec![self.put_if_absent(account)?, self.put_if_absent(profile)?];
        match self.transact(writes).await? {
            Transacted::Done => Ok(()),
            Transacted::Refused(..) => {
                Err(Error::Conflict { detail: "There is an account with this e-mail address." })
            }
        }
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

    /// The credential of an e-mail address. Strongly consistent, so that a user can log in right after registering.
    pub async fn credential(&self, email: &Email) -> Result<Option<Credential>, Error> {
        self.get_item(keys::credential(email), true).await?.map(from_item).transpose()
    }

    /// A user's profile.
    pub async fn user(&self, id: UserId) -> Result<User, Error> {
        let profile = match self.get_item(keys::profile(id), false).await? {
            Some(profile) => Some(profile),
            // An eventually consistent read may miss a profile that was just written.
            None => self.get_item(keys::profile(id), true).await?,
        };
        profile.map(from_item).transpose()?.ok_or(Error::NotFound { what: "user" })
    }
}
