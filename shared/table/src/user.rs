//! Users: credentials and profiles.

use crate::{
    engine::{
        item::{from_item, to_item},
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
