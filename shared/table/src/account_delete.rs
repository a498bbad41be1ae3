//! Deleting an account: close it at once, then delete what is personal, page by page.
//!
//! Credential, profile and tokens are deleted in the transaction that writes the entry of a closed account. The entry is deleted
//! at the end, and names the last run of the deletion, so that user-sweep can tell whether anybody works on it.

use crate::{
    engine::{
        item::{Item, key_of, n, number, s, text},
        table::Table,
        transaction::Transacted,
        update::ItemUpdate,
    },
    keys::{self, Key, PK, SK},
    product_item::VERSION,
    sweep::SweepPosition,
    user::USER_ID,
};
use domain::{
    Error, Timestamp,
    deletion::AccountRun,
    id::{ProductId, UserId},
    mail_token::TokenUse,
    page::PageSize,
    user::{Email, User},
};
use futures::{StreamExt, TryStreamExt, future, stream};
use std::collections::BTreeSet;

const AUTHOR_NAME: &str = "authorName";
/// The number of the last run of the deletion.
const RUN: &str = "run";

/// The maximum number of records that one call deletes: four full batches.
const RECORDS: i32 = 100;

/// The maximum number of products that are withdrawn in one invocation.
const PRODUCTS: i32 = 25;

/// The maximum number of windows whose reviews are read at once.
const WINDOWS: usize = 20;

/// Windows are added to a page until it has this many reviews.
const REVIEWS: usize = 100;

/// The maximum number of reviews that are changed at a time.
const CONCURRENCY: usize = 25;

/// A part of a partition.
#[derive(Clone, Copy)]
enum Sorted<'a> {
    /// Sort keys before this one.
    Below(&'a str),
    /// This sort key and those after it.
    From(&'a str),
    /// Sort keys with this prefix.
    Under(&'a str),
}

fn last_run(item: &Item) -> Option<AccountRun> {
    Some(AccountRun { user_id: text(item, SK)?.parse().ok()?, run: number(item, RUN)?.try_into().ok()? })
}

impl Table {
    /// Deletes the credential, the profile and the tokens of mails of a user, and makes the deletion unfinished work for
    /// user-sweep. From then on nobody can log in, and the address can be registered again. Idempotent: an account that was
    /// closed before is left as it is.
    pub async fn close_account(&self, user: &User, email: &Email) -> Result<(), Error> {
        let (id, owner) = (user.user_id, s(user.user_id.to_string()));
        let mut entry: Item = keys::closed(id).primary();
        entry.insert(RUN.into(), n(0));
        let writes = vec![
            self.delete_if(keys::credential(email), "#userId = :user", &[USER_ID], vec![("user", owner)])?,
            self.delete_if(keys::profile(id), "attribute_exists(#pk)", &[PK], vec![])?,
            self.put_always(entry)?,
            self.delete_always(keys::mail_tokens(TokenUse::Verification, id))?,
            self.delete_always(keys::mail_tokens(TokenUse::PasswordReset, id))?,
        ];
        match self.transact(writes).await? {
            // If the address has the credential of somebody else, the account was closed before that.
            Transacted::Done | Transacted::Refused(..) => Ok(()),
        }
    }

    /// The next closed accounts of each partition, each with the last run of its deletion, and the position after them.
    pub async fn closed_accounts(
        &self,
        now: Timestamp,
        position: &SweepPosition,
    ) -> Result<(Vec<AccountRun>, SweepPosition), Error> {
        self.unfinished::<UserId, _>(keys::closed_partition, now, position, last_run).await
    }

    /// Records the number of a run that goes on with a deletion, unless a later one has begun or the deletion has ended.
    pub async fn begin_account_run(&self, run: &AccountRun) -> Result<(), Error> {
        self.begin_run(keys::closed(run.user_id), run.run).await
    }

    /// The products in a seller's list, at most 25 of them, also those that are hidden. Strongly consistent.
    pub async fn sellers_products(&self, seller: UserId) -> Result<Vec<ProductId>, Error> {
        let listed = self
            .keys_under(&keys::user_partition(seller), Sorted::Under(keys::PRODUCT_PREFIX), PRODUCTS)
            .await?;
        Ok(listed.iter().filter_map(|key| keys::parse_sellers_product(&key.sk)).collect())
    }

    /// Removes a product from its seller's list. Idempotent.
    pub async fn unlist_product(&self, seller: UserId, product: ProductId) -> Result<(), Error> {
        self.batch_delete(vec![keys::sellers_product(seller, product)]).await
    }

    /// Removes the author's name from a page of a user's reviews. Returns whether there may be more. The versions change,
    /// so that a change that has read the name is refused.
    pub async fn anonymise_reviews(&self, author: UserId) -> Result<bool, Error> {
        let (windows, mut has_more) = self.review_windows(author, None, WINDOWS).await?;
        let (mut products, mut read) = (BTreeSet::new(), Vec::new());
        for window in windows {
            if products.len() >= REVIEWS {
                has_more = true;
                break;
            }
            read.push(keys::authors_reviews(author, window.start));
            products.extend(window.products);
        }
        let anonymise = |product| {
            self.send_update(ItemUpdate {
                key: keys::review(product, author),
                update: "SET #version = #version + :one REMOVE #authorName",
                condition: "attribute_exists(#authorName)",
                names: &[VERSION, AUTHOR_NAME],
                values: vec![("one", n(1))],
            })
        };
        let updates = stream::iter(products).map(anonymise).buffer_unordered(CONCURRENCY);
        updates.try_for_each(|_| future::ready(Ok(()))).await?;
        self.batch_delete(read).await?;
        Ok(has_more)
    }

    /// Deletes a page of all that is in a user's partition except for orders and products, of purchases, of notifications, and
    /// of watches with their alerts. Returns whether there may be more. Products have to be withdrawn before.
    pub async fn delete_records(&self, user: UserId) -> Result<bool, Error> {
        let watches = self.watches_of(user, PageSize::DEFAULT, None).await?;
        for watch in &watches.items {
            self.delete_watch(user, watch.item_id).await?;
        }
        let (own, bought) = (keys::user_partition(user), keys::purchase_partition(user));
        let told = keys::alerts::notification_partition(user);
        let pages = futures::try_join!(
            self.keys_under(&own, Sorted::Below(keys::ORDER_PREFIX), RECORDS),
            self.keys_under(&own, Sorted::From(keys::AFTER_ORDERS), RECORDS),
            self.keys_under(&bought, Sorted::From(" "), RECORDS),
            self.keys_under(&told, Sorted::From(" "), RECORDS)
        )?;
        let full = usize::try_from(RECORDS).unwrap_or_default();
        let pages = [pages.0, pages.1, pages.2, pages.3];
        let has_more = watches.next.is_some() || pages.iter().any(|page| page.len() >= full);
        let is_record = |key: &Key| !(key.pk == own && key.sk.starts_with(keys::PRODUCT_PREFIX));
        let secret = [keys::alerts::webhook_secret(user)];
        let records = pages.into_iter().flatten().filter(is_record).chain(secret);
        self.batch_delete(records.collect()).await?;
        Ok(has_more)
    }

    /// Deletes the tokens of a user's mails. Idempotent.
    pub async fn delete_mail_tokens(&self, user: UserId) -> Result<(), Error> {
        self.batch_delete(
            [TokenUse::Verification, TokenUse::PasswordReset]
                .map(|good_for| keys::mail_tokens(good_for, user))
                .to_vec(),
        )
        .await
    }

    /// Ends the deletion of an account. Idempotent.
    pub async fn finish_account_deletion(&self, user: UserId) -> Result<(), Error> {
        self.batch_delete(vec![keys::closed(user)]).await
    }

    /// The first keys of a part of a partition. Strongly consistent.
    async fn keys_under(&self, partition: &str, part: Sorted<'_>, most: i32) -> Result<Vec<Key>, Error> {
        let (condition, sk) = match part {
            Sorted::Below(sk) => ("#pk = :pk AND #sk < :sk", sk),
            Sorted::From(sk) => ("#pk = :pk AND #sk >= :sk", sk),
            Sorted::Under(prefix) => ("#pk = :pk AND begins_with(#sk, :sk)", prefix),
        };
        let query = self
            .client()
            .query()
            .key_condition_expression(condition)
            .projection_expression("#pk, #sk")
            .expression_attribute_names("#pk", PK)
            .expression_attribute_names("#sk", SK)
            .expression_attribute_values(":pk", s(partition))
            .expression_attribute_values(":sk", s(sk))
            .consistent_read(true)
            .limit(most);
        Ok(self.query(query).await?.items().iter().filter_map(key_of).collect())
    }
}
