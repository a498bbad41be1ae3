//! The map of the table: every key is built and parsed here, and nowhere else.
//!
//! | entity | pk | sk | gsi1pk / gsi1sk | gsi2pk / gsi2sk |
//! |---|---|---|---|---|
//! | credential | `EMAIL#<lower-case e-mail>` | `CREDENTIAL` | | |
//! | profile | `USER#<userId>` | `PROFILE` | | |
//! | session | `SESSION#<userId>` | `<sessionId>` | | |
//! | products of a category, counted | `CATEGORIES#<last digit of productId>` | `<category>` | | |
//! | product | `PRODUCT#<productId>` | `PRODUCT` | `PRODUCT#<productId>` / `~PRODUCT` | `CATEGORY#<category>` / `<productId>` |
//! | stock | `PRODUCT#<productId>` | `PRODUCT#STOCK` | `PRODUCT#<productId>` / `~STOCK` | |
//! | rating | `PRODUCT#<productId>` | `RATING` | `PRODUCT#<productId>` / `~RATING` | |
//! | review | `PRODUCT#<productId>` | `REVIEW#<authorId>` | `PRODUCT#<productId>` / `REVIEW#<createdAt>#<authorId>` | |
//! | reviews of an author | `REVIEWS#<authorId>` | `<window start>` | | |
//! | seller's product | `USER#<sellerId>` | `PRODUCT#<productId>` | | `NEWEST` / `<productId>` |
//! | closed account | `CLOSED#<last digit of userId>` | `<userId>` | | |
//! | withdrawn product | `WITHDRAWN#<last digit of productId>` | `<productId>` | | |
//! | band | `BAND#<bandId>` | `BAND` | | |
//! | venue | `VENUE#<venueId>` | `VENUE` | | |
//! | concert | `CONCERT#<concertId>` | `CONCERT` | | `GEO#<coarse cell>` / `<startsAt>#<concertId>` |
//! | concert's cell | `CONCERT#<concertId>` | `GEO#MIDDLE`, `GEO#FINE` | | `GEO#<cell>` / `<startsAt>#<concertId>` |
//! | line-up entry | `CONCERT#<concertId>` | `BAND#<bandId>` | `BAND#<bandId>` / `<startsAt>#<concertId>` | |
//! | request for a concert | `CONCERT#<concertId>` | `REQUEST` | | |
//! | unfinished request for a concert | `UNFINISHED#<last digit of concertId>` | `<concertId>` | | |
//! | order | `USER#<customerId>` | `ORDER#<orderId>` | | |
//! | unsettled order | `UNSETTLED#<last digit of orderId>` | `<orderId>` | | |
//! | purchase | `BOUGHT#<userId>` | `<productId>#<orderId>` | | |
//! | watched item | `ITEM#<itemId>` | `STATE` | | `DUE#<pace>#<shard>` / `<slot>#<host>#<itemId>` |
//! | past price | `ITEM#<itemId>` | `PRICE#<since>` | | |
//! | watch, with its alerts | `WATCHES#<userId>` | `<itemId>` | | |
//! | watcher of an item | `ITEM#<itemId>` | `WATCHER#<userId>` | | |
//! | when items were looked at | `CRAWL#<pace>#<slot>`, `CRAWL#ALL` | `<shard>` | | |
//! | back-off of a host | `HOST#<host>` | `STATE` | | |
//! | flash sale's session | `FLASHSALE` | `<startsAt>#<saleId>` | | |
//! | item of a flash sale | `FLASHSALE#<saleId>` | `ITEM#<itemId>` | | |
//! | alert, where it waits | `ALERTS#<itemId>` | `TARGET#<currency>#<amount>#<userId>#<kind>`, `FIRST#<userId>`, `ANY#<userId>`, `STOCK#<userId>`, `LOW#<days>#<userId>` | | |
//! | notification | `NOTICES#<userId>` | `NOTICE#<at>#<itemId>#<kind>` | | |
//! | settings of notifications | `NOTICES#<userId>` | `SETTINGS` | | |
//! | webhook of a user | `NOTICES#<userId>` | `WEBHOOK` | | |
//! | secret of that webhook | `WEBHOOKSECRET#<userId>` | `SECRET` | | |
//! | idempotency record | `USER#<userId>` | `IDEMPOTENCY#<operation>#<key>` | | |
//! | rate limit | `LIMIT#<operation>#<limit>#<value>` | `<window start>` | | |
//! | event of the payment provider | `EVENT#<id>` | `EVENT` | | |
//! | how far events were read | `EVENTS` | `PERIOD` | | |
//! | batch of visitors' events | `EVENTS#<batchId>` | `EVENTS` | | |
//! | probe of the events' way | `PROBE` | `PROBE` | | |
//! | price experiment | `EXPERIMENT#<experimentId>` | `EXPERIMENT` | `USER#<ownerId>` / `EXPERIMENT#<experimentId>` | `EXPERIMENTS` / `<due>#<experimentId>` |
//! | running experiment of a seller | `FEATURES#<ownerId>` | `RUNNING#<experimentId>` | | |
//! | client key of a seller | `FEATURES#<ownerId>` | `KEY` | | |
//! | last count of an experiment | `EXPERIMENT#<experimentId>` | `COUNT` | | |
//! | who counts an experiment | `EXPERIMENT#<experimentId>` | `COUNT#LEASE` | | |
//! | tokens of mails that verify an address | `VERIFY#<userId>` | `TOKENS` | | |
//! | tokens of mails that reset a password | `RESET#<userId>` | `TOKENS` | | |
//! | signing key, public half | `SIGNING` | `KEY#<kid>` | | |

pub mod alerts;
mod categories;
mod events;
pub mod experiments;
mod price_watch;

pub use categories::{
    category_count, category_counts_partition, category_partition, product_in_category, shard_of,
};
pub(crate) use events::{PROBE, parse_event_batch};
pub use events::{event_batch, probe};
pub use price_watch::{
    FLASH_SALES, WATCHED_ITEM, WATCHER_PREFIX, after_all, crawl_run, due, due_of_host, due_of_slot,
    due_partition, flash_sale, host, item_partition, past_price, sale_item, sale_partition, watch,
    watch_partition, watched_item, watcher,
};

use aws_sdk_dynamodb::types::AttributeValue;
use domain::{
    Timestamp,
    geo::Level,
    id::{BandId, ConcertId, OrderId, ProductId, SessionId, UserId, VenueId},
    mail_token::TokenUse,
    product::ReviewPosition,
    session::Session,
    user::Email,
};
use std::collections::HashMap;

/// Partition key of the table.
pub const PK: &str = "pk";
/// Sort key of the table.
pub const SK: &str = "sk";
/// Partition key of the first index.
pub const GSI1_PK: &str = "gsi1pk";
/// Sort key of the first index.
pub const GSI1_SK: &str = "gsi1sk";
/// Partition key of the second index.
pub const GSI2_PK: &str = "gsi2pk";
/// Sort key of the second index.
pub const GSI2_SK: &str = "gsi2sk";
/// The first index: a product with its stock, rating and reviews; the concerts of a band; the experiments of a seller.
pub const GSI1: &str = "gsi1";
/// The second index: the products of a category, and the newest of all; the concerts of a geographic cell; watched items and
/// experiments by the time at which they are due.
pub const GSI2: &str = "gsi2";

/// Prefix of the partition keys of credentials.
const EMAIL_PREFIX: &str = "EMAIL#";
/// Prefix of the partition keys of rate limits.
const LIMIT_PREFIX: &str = "LIMIT#";
/// The sort key of a product in its own partition.
pub const PRODUCT: &str = "PRODUCT";
/// The sort key of a stock in its product's partition: it sorts between the product and the rating, so that one Query
/// reads these three and no review.
pub const STOCK: &str = "PRODUCT#STOCK";
/// The sort key of a rating in its product's partition.
pub const RATING: &str = "RATING";
/// Prefix of the sort keys of a product's reviews.
pub const REVIEW_PREFIX: &str = "REVIEW#";
/// Prefix of the sort keys of a seller's products.
pub const PRODUCT_PREFIX: &str = "PRODUCT#";
/// The sort key of a product in the first index: it sorts after all reviews.
pub const PAGE_PRODUCT: &str = "~PRODUCT";
/// The sort key of a rating in the first index: it sorts after the product.
pub const PAGE_RATING: &str = "~RATING";
/// The sort key of a stock in the first index: it sorts after the rating.
pub const PAGE_STOCK: &str = "~STOCK";

/// A partition key and a sort key.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Key {
    /// Partition key.
    pub pk: String,
    /// Sort key.
    pub sk: String,
}

impl Key {
    fn new(pk: impl Into<String>, sk: impl Into<String>) -> Self {
        Self { pk: pk.into(), sk: sk.into() }
    }

    /// As the primary key of the table.
    pub fn primary(self) -> HashMap<String, AttributeValue> {
        self.attributes(PK, SK)
    }

    /// As a key of the first index.
    pub fn gsi1(self) -> HashMap<String, AttributeValue> {
        self.attributes(GSI1_PK, GSI1_SK)
    }

    /// As a key of the second index.
    pub fn gsi2(self) -> HashMap<String, AttributeValue> {
        self.attributes(GSI2_PK, GSI2_SK)
    }

    fn attributes(self, pk: &str, sk: &str) -> HashMap<String, AttributeValue> {
        HashMap::from([
            (pk.to_owned(), AttributeValue::S(self.pk)),
            (sk.to_owned(), AttributeValue::S(self.sk)),
        ])
    }
}

/// The credential of a user: user id and password hash.
pub fn credential(email: &Email) -> Key {
    Key::new(format!("{EMAIL_PREFIX}{}", email.account()), "CREDENTIAL")
}

/// Whether a partition key may contain an e-mail address; such keys are never logged.
pub(crate) fn is_private(pk: &str) -> bool {
    pk.starts_with(EMAIL_PREFIX) || pk.starts_with(LIMIT_PREFIX)
}

/// The partition of a user.
pub fn user_partition(id: UserId) -> String {
    format!("USER#{id}")
}

/// A user's profile.
pub fn profile(id: UserId) -> Key {
    Key::new(user_partition(id), "PROFILE")
}

/// The tokens of a user's mails. Their partitions have prefixes of their own, so that few roles can write them.
pub fn mail_tokens(good_for: TokenUse, user: UserId) -> Key {
    let prefix = match good_for {
        TokenUse::Verification => "VERIFY#",
        TokenUse::PasswordReset => "RESET#",
    };
    Key::new(format!("{prefix}{user}"), "TOKENS")
}

/// The partition of a user's sessions. It is not the partition of the user, so that a role which may write there cannot
/// write a session.
pub fn session_partition(user: UserId) -> String {
    format!("SESSION#{user}")
}

/// A session.
pub fn session(session: &Session) -> Key {
    session_of(session.user_id, session.session_id)
}

/// A session, by its ids.
pub fn session_of(user: UserId, session: SessionId) -> Key {
    Key::new(session_partition(user), session.to_string())
}

/// The session id in the sort key of a session.
pub fn parse_session(sk: &str) -> Option<SessionId> {
    sk.parse().ok()
}

/// The partition of a product, in the table and in the first index.
pub fn product_partition(id: ProductId) -> String {
    format!("PRODUCT#{id}")
}

/// A product.
pub fn product(id: ProductId) -> Key {
    Key::new(product_partition(id), PRODUCT)
}

/// The product id in the partition key of a product.
pub fn parse_product_partition(pk: &str) -> Option<ProductId> {
    pk.strip_prefix("PRODUCT#")?.parse().ok()
}

/// A product in the first index, which serves the product page.
pub fn product_on_page(id: ProductId) -> Key {
    Key::new(product_partition(id), PAGE_PRODUCT)
}

/// The item that lists a product under its seller.
pub fn sellers_product(seller: UserId, id: ProductId) -> Key {
    Key::new(user_partition(seller), format!("{PRODUCT_PREFIX}{id}"))
}

/// The partition of all products in the second index.
pub const NEWEST: &str = "NEWEST";

/// The item that lists a product under its seller, in the second index, under all products.
pub fn newest_product(id: ProductId) -> Key {
    Key::new(NEWEST, id.to_string())
}

/// The product id in the sort key of a seller's product.
pub fn parse_sellers_product(sk: &str) -> Option<ProductId> {
    sk.strip_prefix(PRODUCT_PREFIX)?.parse().ok()
}

/// A product's stock.
pub fn stock(id: ProductId) -> Key {
    Key::new(product_partition(id), STOCK)
}

/// A product's stock in the first index, which serves the product page.
pub fn stock_on_page(id: ProductId) -> Key {
    Key::new(product_partition(id), PAGE_STOCK)
}

/// A product's rating.
pub fn rating(id: ProductId) -> Key {
    Key::new(product_partition(id), RATING)
}

/// A product's rating in the first index, which serves the product page.
pub fn rating_on_page(id: ProductId) -> Key {
    Key::new(product_partition(id), PAGE_RATING)
}

/// A review.
pub fn review(product: ProductId, author: UserId) -> Key {
    Key::new(product_partition(product), format!("{REVIEW_PREFIX}{author}"))
}

/// The author id in the sort key of a review.
pub fn parse_review(sk: &str) -> Option<UserId> {
    sk.strip_prefix(REVIEW_PREFIX)?.parse().ok()
}

/// A review in the first index, which serves the product page.
pub fn review_on_page(product: ProductId, position: &ReviewPosition) -> Key {
    let ReviewPosition { created_at, author_id } = position;
    Key::new(product_partition(product), format!("{REVIEW_PREFIX}{created_at}#{author_id}"))
}

/// The position in the sort key of a review in the first index.
pub fn parse_review_on_page(sk: &str) -> Option<ReviewPosition> {
    let (created_at, author_id) = sk.strip_prefix(REVIEW_PREFIX)?.split_once('#')?;
    Some(ReviewPosition { created_at: created_at.parse().ok()?, author_id: author_id.parse().ok()? })
}

/// The partition of the reviews that a user has written.
pub fn authors_reviews_partition(author: UserId) -> String {
    format!("REVIEWS#{author}")
}

/// The products that a user reviewed in one window of the limit of reviews, and the number of those reviews.
pub fn authors_reviews(author: UserId, window_start: u64) -> Key {
    // Ten digits until the year 2286: the windows of a user sort by time.
    Key::new(authors_reviews_partition(author), window_start.to_string())
}

/// A partition of closed accounts.
pub fn closed_partition(shard: char) -> String {
    format!("CLOSED#{shard}")
}

/// The entry of a closed account: what is personal of it may not be deleted yet.
pub fn closed(id: UserId) -> Key {
    sharded(closed_partition, &id.to_string())
}

/// Follows the sort keys of a customer's orders: `$` is the character after `#`.
pub const AFTER_ORDERS: &str = "ORDER$";

/// Prefix of the sort keys of a customer's orders.
pub const ORDER_PREFIX: &str = "ORDER#";

/// An order.
pub fn order(customer: UserId, id: OrderId) -> Key {
    Key::new(user_partition(customer), format!("{ORDER_PREFIX}{id}"))
}

/// The order id in the sort key of an order.
pub fn parse_order(sk: &str) -> Option<OrderId> {
    sk.strip_prefix(ORDER_PREFIX)?.parse().ok()
}

/// The last digits of the partition keys of unfinished work, and of the numbers of products: 16 partitions, so that none
/// becomes a hot partition.
pub const SHARDS: &str = "0123456789abcdef";

/// A partition of unsettled orders.
pub fn unsettled_partition(shard: char) -> String {
    format!("UNSETTLED#{shard}")
}

/// The entry of an unsettled order: its stock and money may not agree with its status.
pub fn unsettled(id: OrderId) -> Key {
    sharded(unsettled_partition, &id.to_string())
}

/// A partition of withdrawn products.
pub fn withdrawn_partition(shard: char) -> String {
    format!("WITHDRAWN#{shard}")
}

/// The entry of a withdrawn product: it is hidden, and not deleted yet.
pub fn withdrawn(id: ProductId) -> Key {
    sharded(withdrawn_partition, &id.to_string())
}

/// A partition of unfinished requests for concerts.
pub fn unfinished_partition(shard: char) -> String {
    format!("UNFINISHED#{shard}")
}

/// The entry of an unfinished request for a concert: what it has prepared may be neither published nor deleted yet.
pub fn unfinished(id: ConcertId) -> Key {
    sharded(unfinished_partition, &id.to_string())
}

/// The key of an entry of unfinished work.
fn sharded(partition: fn(char) -> String, id: &str) -> Key {
    Key::new(partition(id.chars().last().unwrap_or_default()), id)
}

/// The partition of a user's purchases. It is not the user's own partition, so that roles which write there cannot
/// invent a purchase.
pub fn purchase_partition(user: UserId) -> String {
    format!("BOUGHT#{user}")
}

/// Prefix of the sort keys of the purchases of a product.
pub fn purchases_of_product(product: ProductId) -> String {
    format!("{product}#")
}

/// The purchase of a product by an order.
pub fn purchase(user: UserId, product: ProductId, order: OrderId) -> Key {
    Key::new(purchase_partition(user), format!("{}{order}", purchases_of_product(product)))
}

/// The idempotency record of a request.
pub fn idempotency(user: UserId, operation: &str, key: &str) -> Key {
    Key::new(user_partition(user), format!("IDEMPOTENCY#{operation}#{key}"))
}

/// The record that an event of the payment provider was processed.
pub fn webhook_event(id: &str) -> Key {
    Key::new(format!("EVENT#{id}"), "EVENT")
}

/// How far the payment provider's list of events was read.
pub fn event_period() -> Key {
    Key::new("EVENTS", "PERIOD")
}

/// The request counter of one window of a rate limit. `value` is what the limit counts by, such as an address.
pub fn limit(operation: &str, limit: &str, value: &str, window_start: u64) -> Key {
    Key::new(format!("{LIMIT_PREFIX}{operation}#{limit}#{value}"), window_start.to_string())
}

/// The partition of the public signing keys.
pub const SIGNING: &str = "SIGNING";

/// Prefix of the sort keys of public signing keys.
const SIGNING_PREFIX: &str = "KEY#";

/// A public signing key.
pub fn signing_key(kid: &str) -> Key {
    Key::new(SIGNING, format!("{SIGNING_PREFIX}{kid}"))
}

/// The key id in the sort key of a public signing key.
pub fn parse_signing_key(sk: &str) -> Option<&str> {
    sk.strip_prefix(SIGNING_PREFIX)
}

/// A band.
pub fn band(id: BandId) -> Key {
    Key::new(band_partition(id), "BAND")
}

/// The partition of a band: in the table, the band itself; in the first index, its concerts.
pub fn band_partition(id: BandId) -> String {
    format!("BAND#{id}")
}

/// A venue.
pub fn venue(id: VenueId) -> Key {
    Key::new(format!("VENUE#{id}"), "VENUE")
}

/// A concert.
pub fn concert(id: ConcertId) -> Key {
    Key::new(format!("CONCERT#{id}"), "CONCERT")
}

/// A request for a concert and its progress.
pub fn concert_request(id: ConcertId) -> Key {
    Key::new(format!("CONCERT#{id}"), "REQUEST")
}

/// The entry of a band in the line-up of a concert.
pub fn line_up_entry(concert: ConcertId, band: BandId) -> Key {
    Key::new(format!("CONCERT#{concert}"), band_partition(band))
}

/// The item that lists a concert under its cell of this level. For the coarse cell that is the concert itself.
pub fn concert_place(concert: ConcertId, level: Level) -> Key {
    match level {
        Level::Coarse => self::concert(concert),
        Level::Middle => Key::new(format!("CONCERT#{concert}"), "GEO#MIDDLE"),
        Level::Fine => Key::new(format!("CONCERT#{concert}"), "GEO#FINE"),
    }
}

/// The partition of a cell's concerts in the second index.
pub fn cell_partition(cell: &str) -> String {
    format!("GEO#{cell}")
}

/// The sort key of concerts in both indexes: start time, then id.
pub fn by_start(starts_at: Timestamp, concert: ConcertId) -> String {
    format!("{starts_at}#{concert}")
}

/// A concert in the first index, under a band.
pub fn concert_of_band(band: BandId, starts_at: Timestamp, concert: ConcertId) -> Key {
    Key::new(band_partition(band), by_start(starts_at, concert))
}

/// A concert in the second index, under a cell.
pub fn concert_in_cell(cell: &str, starts_at: Timestamp, concert: ConcertId) -> Key {
    Key::new(cell_partition(cell), by_start(starts_at, concert))
}

/// The `ttl` attribute: DynamoDB deletes the item some time after this timestamp.
pub fn ttl(at: Timestamp) -> (String, AttributeValue) {
    (TTL.to_owned(), AttributeValue::N(at.unix_seconds().to_string()))
}

/// The attribute that DynamoDB's time to live reads, in seconds since 1970.
pub const TTL: &str = "ttl";

#[cfg(test)]
mod tests;
