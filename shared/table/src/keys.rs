//! The map of the table: every key is built and parsed here, and nowhere else.
//!
//! | entity | pk | sk | gsi1pk / gsi1sk | gsi2pk / gsi2sk |
//! |---|---|---|---|---|
//! | credential | `EMAIL#<lower-case e-mail>` | `CREDENTIAL` | | |
//! | profile | `USER#<userId>` | `PROFILE` | | |
//! | session | `SESSION#<userId>` | `<sessionId>` | | |
//! | product | `PRODUCT#<productId>` | `PRODUCT` | `PRODUCT#<productId>` / `~PRODUCT` | `CATEGORY#<category>` / `<productId>` |
//! | stock | `PRODUCT#<productId>` | `PRODUCT#STOCK` | `PRODUCT#<productId>` / `~STOCK` | |
//! | rating | `PRODUCT#<productId>` | `RATING` | `PRODUCT#<productId>` / `~RATING` | |
//! | review | `PRODUCT#<productId>` | `REVIEW#<authorId>` | `PRODUCT#<productId>` / `REVIEW#<createdAt>#<authorId>` | |
//! | seller's product | `USER#<sellerId>` | `PRODUCT#<productId>` | | |
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
//! | idempotency record | `USER#<userId>` | `IDEMPOTENCY#<operation>#<key>` | | |
//! | rate limit | `LIMIT#<operation>#<limit>#<value>` | `<window start>` | | |
//! | event of the payment provider | `EVENT#<id>` | `EVENT` | | |
//! | signing key, public half | `SIGNING` | `KEY#<kid>` | | |

use aws_sdk_dynamodb::types::AttributeValue;
use domain::{
    Timestamp,
    geo::Level,
    id::{BandId, ConcertId, OrderId, ProductId, SessionId, UserId, VenueId},
    product::{Category, ReviewPosition},
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
/// The first index: a product with its stock, rating and reviews; the concerts of a band.
pub const GSI1: &str = "gsi1";
/// The second index: the products of a category; the concerts of a geographic cell.
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

/// The partition of a category in the second index.
pub fn category_partition(category: &Category) -> String {
    format!("CATEGORY#{category}")
}

/// A product in the second index, under its category.
pub fn product_in_category(category: &Category, id: ProductId) -> Key {
    Key::new(category_partition(category), id.to_string())
}

/// The item that lists a product under its seller.
pub fn sellers_product(seller: UserId, id: ProductId) -> Key {
    Key::new(user_partition(seller), format!("{PRODUCT_PREFIX}{id}"))
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

/// The last digits of the partition keys of unfinished work: 16 partitions, so that none becomes a hot partition.
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

/// The idempotency record of a request.
pub fn idempotency(user: UserId, operation: &str, key: &str) -> Key {
    Key::new(user_partition(user), format!("IDEMPOTENCY#{operation}#{key}"))
}

/// The record that an event of the payment provider was processed.
pub fn webhook_event(id: &str) -> Key {
    Key::new(format!("EVENT#{id}"), "EVENT")
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
mod tests {
    use super::*;
    use domain::id::Id;
    use serde_json::json;

    fn assert_key(key: &Key, pk: &str, sk: &str) {
        assert_eq!((key.pk.as_str(), key.sk.as_str()), (pk, sk));
    }

    /// The stored items have these literal keys: changing one makes existing data unreachable.
    #[test]
    fn literal_keys() {
        let now = Timestamp::from_unix_milliseconds(1_763_659_827_040);
        let user = UserId::new(now, [1; 10]);
        let product_id = ProductId::new(now, [2; 10]);
        let session_id = SessionId::new(now, [3; 10]);
        let (u, p, s) = (
            "019aa251-4760-7101-8101-010101010101",
            "019aa251-4760-7202-8202-020202020202",
            "019aa251-4760-7303-8303-030303030303",
        );
        let email = Email::from_value(json!("Ada@Example.com")).unwrap();
        let position = ReviewPosition { created_at: now, author_id: user };
        assert_key(&credential(&email), "EMAIL#ada@example.com", "CREDENTIAL");
        assert_key(&profile(user), &format!("USER#{u}"), "PROFILE");
        assert_key(&session_of(user, session_id), &format!("SESSION#{u}"), s);
        assert_key(&product(product_id), &format!("PRODUCT#{p}"), "PRODUCT");
        assert_key(&product_on_page(product_id), &format!("PRODUCT#{p}"), "~PRODUCT");
        assert_key(&product_in_category(&"Books".parse().unwrap(), product_id), "CATEGORY#Books", p);
        assert_key(&sellers_product(user, product_id), &format!("USER#{u}"), &format!("PRODUCT#{p}"));
        assert_key(&stock(product_id), &format!("PRODUCT#{p}"), "PRODUCT#STOCK");
        assert_key(&stock_on_page(product_id), &format!("PRODUCT#{p}"), "~STOCK");
        assert_key(&rating(product_id), &format!("PRODUCT#{p}"), "RATING");
        assert_key(&rating_on_page(product_id), &format!("PRODUCT#{p}"), "~RATING");
        assert_key(&review(product_id, user), &format!("PRODUCT#{p}"), &format!("REVIEW#{u}"));
        let on_page = format!("REVIEW#2025-11-20T17:30:27.040Z#{u}");
        assert_key(&review_on_page(product_id, &position), &format!("PRODUCT#{p}"), &on_page);
        let key = idempotency(user, "product-create", "k");
        assert_key(&key, &format!("USER#{u}"), "IDEMPOTENCY#product-create#k");
        assert_key(&limit("log-in", "source", "192.0.2.1", 900), "LIMIT#log-in#source#192.0.2.1", "900");
        assert_key(&signing_key("k1"), "SIGNING", "KEY#k1");
        assert_key(&webhook_event("evt_1"), "EVENT#evt_1", "EVENT");
        let order_id = OrderId::new(now, [3; 10]);
        assert_key(&order(user, order_id), &format!("USER#{u}"), &format!("ORDER#{s}"));
        assert_key(&unsettled(order_id), "UNSETTLED#3", s);
        assert_key(&withdrawn(product_id), "WITHDRAWN#2", p);
        assert_key(&unfinished(ConcertId::new(now, [3; 10])), "UNFINISHED#3", s);
        let (band_id, venue_id, concert_id) =
            (BandId::new(now, [1; 10]), VenueId::new(now, [2; 10]), ConcertId::new(now, [3; 10]));
        let (concert_pk, starts) = (format!("CONCERT#{s}"), format!("2025-11-20T17:30:27.040Z#{s}"));
        assert_key(&band(band_id), &format!("BAND#{u}"), "BAND");
        assert_key(&venue(venue_id), &format!("VENUE#{p}"), "VENUE");
        assert_key(&concert(concert_id), &concert_pk, "CONCERT");
        assert_key(&concert_request(concert_id), &concert_pk, "REQUEST");
        assert_key(&line_up_entry(concert_id, band_id), &concert_pk, &format!("BAND#{u}"));
        assert_key(&concert_place(concert_id, Level::Middle), &concert_pk, "GEO#MIDDLE");
        assert_key(&concert_place(concert_id, Level::Fine), &concert_pk, "GEO#FINE");
        assert_key(&concert_of_band(band_id, now, concert_id), &format!("BAND#{u}"), &starts);
        assert_key(&concert_in_cell("8265", now, concert_id), "GEO#8265", &starts);
    }

    #[test]
    fn parsing_a_key_returns_the_ids_it_was_built_from() {
        let now = Timestamp::from_unix_milliseconds(1);
        let (user, id) = (UserId::new(now, [1; 10]), ProductId::new(now, [2; 10]));
        assert_eq!(parse_sellers_product(&sellers_product(user, id).sk), Some(id));
        assert_eq!(parse_sellers_product("PRODUCT#x"), None);
        assert_eq!(parse_product_partition(&product_partition(id)), Some(id));
        assert_eq!(parse_review(&review(id, user).sk), Some(user));
        let position = ReviewPosition { created_at: now, author_id: user };
        assert_eq!(parse_review_on_page(&review_on_page(id, &position).sk), Some(position));
        let order_id = OrderId::new(now, [3; 10]);
        assert_eq!(parse_order(&order(user, order_id).sk), Some(order_id));
        assert_eq!(parse_signing_key(&signing_key("k").sk), Some("k"));
        let session_id = SessionId::new(now, [4; 10]);
        assert_eq!(parse_session(&session_of(user, session_id).sk), Some(session_id));
    }

    #[test]
    fn keys_that_may_contain_an_email_address_are_private() {
        let email = Email::from_value(json!("ada@example.com")).unwrap();
        let user = UserId::new(Timestamp::from_unix_milliseconds(1), [1; 10]);
        assert!(is_private(&credential(&email).pk));
        assert!(is_private(&limit("log-in", "email", &email.account(), 900).pk));
        assert!(!is_private(&profile(user).pk));
    }

    /// The page Query reads in descending order: stock, rating, product, newest review.
    #[test]
    fn the_page_query_returns_stock_then_rating_then_product_then_reviews() {
        let now = Timestamp::from_unix_milliseconds(0);
        let position = ReviewPosition { created_at: now, author_id: UserId::new(now, [255; 10]) };
        let id = ProductId::new(now, [0; 10]);
        assert!(stock_on_page(id).sk > rating_on_page(id).sk);
        assert!(rating_on_page(id).sk > product_on_page(id).sk);
        assert!(product_on_page(id).sk > review_on_page(id, &position).sk);
    }

    /// One Query reads a product, its stock and its rating, and no review.
    #[test]
    fn stock_is_between_product_and_rating_and_reviews_are_not() {
        let now = Timestamp::from_unix_milliseconds(0);
        let id = ProductId::new(now, [0; 10]);
        let listed = product(id).sk..=rating(id).sk;
        assert!(listed.contains(&stock(id).sk));
        for byte in [0, 255] {
            assert!(!listed.contains(&review(id, UserId::new(now, [byte; 10])).sk));
        }
    }
}
