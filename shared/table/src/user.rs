//! Users: what they log in with, and what they are.

use crate::{
    Table,
    item::{from_item, to_item},
    keys::{self, PK},
    transaction::Transacted,
};
use aws_sdk_dynamodb::types::{Put, TransactWriteItem};
use domain::{
    Error,
    id::UserId,
    user::{Email, User},
};
use serde::{Deserialize, Serialize};

/// What a user has to log in: who it is, and the hash of the password.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Credential {
    /// Who.
    pub user_id: UserId,
    /// Argon2id in PHC string form.
    pub password_hash: String,
}

impl Table {
    /// Keeps a new user, unless the address is taken. An existing account is never touched.
    pub async fn register(&self, user: &User, email: &Email, credential: &Credential) -> Result<(), Error> {
        let mut account = to_item(credential)?;
        account.extend(keys::credential(email).primary());
        let mut profile = to_item(user)?;
        profile.extend(keys::profile(user.user_id).primary());
        let writes = [account, profile].map(|item| {
            let put = Put::builder()
                .table_name(&self.name)
                .set_item(Some(item))
                .condition_expression("attribute_not_exists(#pk)")
                .expression_attribute_names("#pk", PK)
                .build();
            put.map(|put| TransactWriteItem::builder().put(put).build())
        });
        let writes: Result<Vec<_>, _> = writes.into_iter().collect();
        match self.transact(writes.map_err(|error| Error::internal(error.to_string()))?).await? {
            Transacted::Done => Ok(()),
            Transacted::Refused(..) => {
                Err(Error::Conflict { detail: "There is an account with this e-mail address." })
            }
        }
    }

    /// What the owner of an address logs in with. Strongly consistent: who has just registered can log in.
    pub async fn credential(&self, email: &Email) -> Result<Option<Credential>, Error> {
        self.get_item(keys::credential(email), true).await?.map(from_item).transpose()
    }

    /// A user's profile.
    pub async fn user(&self, id: UserId) -> Result<User, Error> {
        let profile = match self.get_item(keys::profile(id), false).await? {
            Some(profile) => Some(profile),
            // A profile that was written a moment ago may not be everywhere yet.
            None => self.get_item(keys::profile(id), true).await?,
        };
        profile.map(from_item).transpose()?.ok_or(Error::NotFound { what: "user" })
    }
}
