//! Tokens of mails: storing their hashes, and spending them together with what they are good for.
//!
//! The tokens of a user that are good for one thing are one item: the newest three, and the last one that was spent.

use crate::{
    engine::{
        item::{Item, b, bytes, n, number, s},
        request::Written,
        table::Table,
        transaction::Transacted,
        update::ItemUpdate,
    },
    keys::{self, PK},
    user::{PASSWORD_HASH, USER_ID, VERIFIED_AT, VERSION},
};
use aws_sdk_dynamodb::types::AttributeValue;
use domain::{Error, Timestamp, id::UserId, mail_token::TokenUse, user::Email};

/// The attributes of the tokens: maps of [`HASH`] and [`EXPIRES_AT`].
const SLOTS: [&str; 3] = ["newest", "second", "third"];
/// SHA-256 of a token's secret.
const HASH: &str = "hash";
/// When a token expires, in milliseconds since 1970.
const EXPIRES_AT: &str = "expiresAt";
/// SHA-256 of the secret of the last token that was spent.
const SPENT: &str = "spent";

/// The condition that the hash is that of a token that has not expired.
const IS_GOOD: &str = "#newest.#hash = :hash AND #newest.#expiresAt > :now \
    OR #second.#hash = :hash AND #second.#expiresAt > :now \
    OR #third.#hash = :hash AND #third.#expiresAt > :now";

/// What is known about a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TokenState {
    /// It was sent, has not expired, and neither it nor another one was spent since.
    Good,
    /// It was the last one to be spent.
    Spent,
    /// Anything else.
    Unknown,
}

impl Table {
    /// Stores the hash of a new token. The newest three tokens are good; older ones are forgotten.
    pub async fn issue_mail_token(
        &self,
        good_for: TokenUse,
        user: UserId,
        hash: &[u8; 32],
        now: Timestamp,
    ) -> Result<(), Error> {
        let expires_at = now.plus_seconds(good_for.seconds());
        let token = Item::from([
            (HASH.to_owned(), b(hash)),
            (EXPIRES_AT.to_owned(), n(expires_at.unix_milliseconds())),
        ]);
        let (_, ttl) = keys::ttl(expires_at);
        let written = self
            .send_update(ItemUpdate {
                key: keys::mail_tokens(good_for, user),
                update: "SET #third = if_not_exists(#second, :none), #second = if_not_exists(#newest, :none), \
                    #newest = :token, #ttl = :ttl",
                // The SDK repeats a request whose answer was lost.
                condition: "attribute_not_exists(#newest) OR #newest <> :token",
                names: &[SLOTS[0], SLOTS[1], SLOTS[2], keys::TTL],
                values: vec![
                    ("token", AttributeValue::M(token)),
                    ("none", AttributeValue::Null(true)),
                    ("ttl", ttl),
                ],
            })
            .await?;
        match written {
            Written::Done(_) | Written::Refused(_) => Ok(()),
        }
    }

    /// What is known about the token with this hash. Strongly consistent, because a token is used soon after it was sent.
    pub async fn mail_token(
        &self,
        good_for: TokenUse,
        user: UserId,
        hash: &[u8; 32],
        now: Timestamp,
    ) -> Result<TokenState, Error> {
        let item = self.get_item(keys::mail_tokens(good_for, user), true).await?.unwrap_or_default();
        let is_good = |slot: &&Item| {
            bytes(slot, HASH) == Some(hash)
                && number(slot, EXPIRES_AT).is_some_and(|expires| expires > now.unix_milliseconds())
        };
        let mut slots = SLOTS.iter().filter_map(|slot| item.get(*slot)?.as_m().ok());
        Ok(match slots.find(is_good) {
            Some(_) => TokenState::Good,
            None if bytes(&item, SPENT) == Some(hash) => TokenState::Spent,
            None => TokenState::Unknown,
        })
    }

    /// Spends a token and marks the address of its account as verified. Returns whether the token was good.
    pub async fn verify_address(
        &self,
        user: UserId,
        email: &Email,
        hash: &[u8; 32],
        now: Timestamp,
    ) -> Result<bool, Error> {
        let credential = verified(
            ItemUpdate {
                key: keys::credential(email),
                update: "SET #verifiedAt = if_not_exists(#verifiedAt, :now)",
                condition: "#userId = :user",
                names: &[VERIFIED_AT, USER_ID],
                values: vec![("user", s(user.to_string()))],
            },
            now,
        );
        self.spend_mail_token(TokenUse::Verification, user, hash, now, credential).await
    }

    /// Spends a token and replaces the hash of its account's password. Whoever reads the mails of an address has it, so
    /// the address is verified as well. Returns whether the token was good.
    pub async fn reset_password(
        &self,
        user: UserId,
        email: &Email,
        hash: &[u8; 32],
        password_hash: &str,
        now: Timestamp,
    ) -> Result<bool, Error> {
        let credential = verified(
            ItemUpdate {
                key: keys::credential(email),
                update: "SET #passwordHash = :password, #verifiedAt = if_not_exists(#verifiedAt, :now)",
                condition: "#userId = :user",
                names: &[PASSWORD_HASH, VERIFIED_AT, USER_ID],
                values: vec![("password", s(password_hash)), ("user", s(user.to_string()))],
            },
            now,
        );
        self.spend_mail_token(TokenUse::PasswordReset, user, hash, now, credential).await
    }

    /// Spends a token, and all others that are good for the same, in one transaction with the update of the account's
    /// credential, and marks the profile as verified.
    async fn spend_mail_token(
        &self,
        good_for: TokenUse,
        user: UserId,
        hash: &[u8; 32],
        now: Timestamp,
        credential: ItemUpdate<'_>,
    ) -> Result<bool, Error> {
        let spent = ItemUpdate {
            key: keys::mail_tokens(good_for, user),
            update: "SET #spent = :hash REMOVE #newest, #second, #third",
            condition: IS_GOOD,
            names: &[SLOTS[0], SLOTS[1], SLOTS[2], HASH, EXPIRES_AT, SPENT],
            values: vec![("hash", b(hash)), ("now", n(now.unix_milliseconds()))],
        };
        let profile = verified(
            ItemUpdate {
                key: keys::profile(user),
                update: "SET #verifiedAt = if_not_exists(#verifiedAt, :now), \
                #version = if_not_exists(#version, :one) + :one",
                condition: "attribute_exists(#pk)",
                names: &[VERIFIED_AT, VERSION, PK],
                values: vec![("one", n(1))],
            },
            now,
        );
        let writes = vec![self.update_if(spent)?, self.update_if(credential)?, self.update_if(profile)?];
        Ok(matches!(self.transact(writes).await?, Transacted::Done))
    }
}

/// Adds the time of the verification to an update.
fn verified(mut update: ItemUpdate<'_>, now: Timestamp) -> ItemUpdate<'_> {
    update.values.push(("now", s(now.to_string())));
    update
}
