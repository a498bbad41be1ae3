//! Purchases: which products a user has confirmed orders of, so that a review can say so.
//!
//! An order that was cancelled keeps its entries for a day, marked as revoked. Recording leaves the mark as it is, so that
//! a purchase ends as revoked in whichever order the two requests arrive.

use crate::{
    engine::{
        item::{n, s},
        request::Written,
        table::Table,
    },
    keys::{self, PK, SK},
    product_item::VERSION,
    review_item::VERIFIED_PURCHASE,
};
use aws_sdk_dynamodb::types::AttributeValue;
use domain::{
    Error, Timestamp,
    id::{ProductId, UserId},
    order::OrderRequest,
};
use futures::future::try_join_all;

const AT: &str = "at";
/// Present once the order was cancelled, or its payment has failed.
const REVOKED: &str = "revoked";

/// How long a revoked entry is kept. AWS refuses a request five minutes after it was signed.
const REVOKED_SECONDS: u64 = 24 * 60 * 60;

/// How many of a user's newest orders of a product are looked at. Their entries are read by half a read unit.
const MOST_ORDERS: i32 = 20;

impl Table {
    /// Records that the customer has bought the products of a confirmed order. Idempotent. A purchase that was revoked
    /// stays revoked. One write unit for each line.
    pub async fn record_purchases(&self, order: &OrderRequest, now: Timestamp) -> Result<(), Error> {
        let record = async |product: ProductId| {
            let update = self
                .client()
                .update_item()
                .set_key(Some(keys::purchase(order.customer_id, product, order.order_id).primary()))
                .update_expression("SET #at = :at")
                .expression_attribute_names("#at", AT)
                .expression_attribute_values(":at", s(now.to_string()));
            self.update(update).await
        };
        try_join_all(order.lines.iter().map(|line| record(line.product_id))).await.map(drop)
    }

    /// Revokes the purchases of an order that is not confirmed any more. A review of a product of which the customer has
    /// no other confirmed order no longer says that it was bought. Idempotent.
    pub async fn revoke_purchases(&self, order: &OrderRequest, now: Timestamp) -> Result<(), Error> {
        try_join_all(order.lines.iter().map(|line| self.revoke_purchase(order, line.product_id, now)))
            .await
            .map(drop)
    }

    async fn revoke_purchase(
        &self,
        order: &OrderRequest,
        product: ProductId,
        now: Timestamp,
    ) -> Result<(), Error> {
        let customer = order.customer_id;
        let (ttl, end) = keys::ttl(now.plus_seconds(REVOKED_SECONDS));
        let update = self
            .client()
            .update_item()
            .set_key(Some(keys::purchase(customer, product, order.order_id).primary()))
            .update_expression("SET #revoked = :true, #ttl = :end")
            .expression_attribute_names("#revoked", REVOKED)
            .expression_attribute_names("#ttl", ttl)
            .expression_attribute_values(":true", AttributeValue::Bool(true))
            .expression_attribute_values(":end", end);
        self.update(update).await?;
        if self.bought(customer, product, true).await? {
            return Ok(());
        }
        self.unverify_review(product, customer).await
    }

    /// Removes the mark of a verified purchase from a review, if it has it. The version changes, so that an author's
    /// change that has read the purchase before it was revoked is refused.
    async fn unverify_review(&self, product: ProductId, author: UserId) -> Result<(), Error> {
        let update = self
            .client()
            .update_item()
            .set_key(Some(keys::review(product, author).primary()))
            .update_expression("SET #verified = :false, #version = #version + :one")
            .condition_expression("#verified = :true")
            .expression_attribute_names("#verified", VERIFIED_PURCHASE)
            .expression_attribute_names("#version", VERSION)
            .expression_attribute_values(":false", AttributeValue::Bool(false))
            .expression_attribute_values(":true", AttributeValue::Bool(true))
            .expression_attribute_values(":one", n(1));
        match self.update(update).await? {
            Written::Done(_) | Written::Refused(_) => Ok(()),
        }
    }

    /// Whether a user has a confirmed order of a product, eventually consistent. Looks at the user's newest orders of it.
    pub async fn has_bought(&self, user: UserId, product: ProductId) -> Result<bool, Error> {
        self.bought(user, product, false).await
    }

    async fn bought(&self, user: UserId, product: ProductId, consistent: bool) -> Result<bool, Error> {
        let query = self
            .client()
            .query()
            .key_condition_expression("#pk = :pk AND begins_with(#sk, :product)")
            .filter_expression("attribute_not_exists(#revoked)")
            .expression_attribute_names("#pk", PK)
            .expression_attribute_names("#sk", SK)
            .expression_attribute_names("#revoked", REVOKED)
            .expression_attribute_values(":pk", s(keys::purchase_partition(user)))
            .expression_attribute_values(":product", s(keys::purchases_of_product(product)))
            .scan_index_forward(false)
            .limit(MOST_ORDERS)
            .consistent_read(consistent);
        Ok(!self.query(query).await?.items().is_empty())
    }
}
