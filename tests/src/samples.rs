//! Sample users, products and reviews; the same number always gives the same sample.

use domain::{
    Input, Money, Timestamp, Version,
    assignment::HashVersion,
    deletion::DeletionRun,
    id::{ExperimentId, Id, ProductId, SessionId, UserId, VisitorUuid},
    idempotency::{Idempotency, IdempotencyKey},
    overlay::{Overlay, OverlayVariant},
    product::{Category, ListedProduct, NewProduct, Product},
    rating::Rating,
    review::{Review, Stars},
    session::{Exchange, RefreshSecret, RefreshToken, Session},
    share::Share,
    stock::Stock,
    user::{Caller, Email, User},
};
use serde_json::{Value, json};
use table::{Credential, Position};

/// The current time in tests: 2025-11-20T17:30:27.040Z.
pub fn now() -> Timestamp {
    Timestamp::from_unix_milliseconds(1_763_659_827_040)
}

/// The current time in tests plus this number of seconds.
pub fn later(seconds: u64) -> Timestamp {
    now().plus_seconds(seconds)
}

fn random(number: u32) -> [u8; 10] {
    let mut bytes = [0; 10];
    bytes[6..].copy_from_slice(&number.to_be_bytes());
    bytes
}

/// A user's id.
pub fn user_id(number: u32) -> UserId {
    UserId::new(now(), random(number))
}

/// A product's id; a higher number gives a later id.
pub fn product_id(number: u32) -> ProductId {
    ProductId::new(later(number.into()), random(number))
}

/// The first run of the deletion of this version of a product of user 7.
pub fn withdrawal(product_id: ProductId, version: Version) -> DeletionRun {
    DeletionRun { product_id, seller_id: user_id(7), version, run: 0 }
}

/// The label of the stream of the tests' table.
pub const STREAM: &str = "2025-11-20T00:00:00.000";

/// The ARN of a stream with this label.
pub fn stream_arn(label: &str) -> String {
    format!("arn:aws:dynamodb:eu-central-1:123456789012:table/souk/stream/{label}")
}

/// The position of this sequence number in the stream with this label.
pub fn position_in(label: &str, number: u64) -> Position {
    Position::parse(&stream_arn(label), &number.to_string()).expect("a sample position is one")
}

/// The position of this sequence number in the stream of the tests' table.
pub fn position(number: u64) -> Position {
    position_in(STREAM, number)
}

/// A session's id.
pub fn session_id(number: u32) -> SessionId {
    SessionId::new(now(), random(number))
}

/// A stock of this quantity.
pub fn stock(stock: i64) -> Stock {
    Stock::new(stock).expect("a sample stock is within its bounds")
}

/// A category.
pub fn category(text: &str) -> Category {
    text.parse().expect("a sample category is one")
}

/// An e-mail address.
pub fn email(text: &str) -> Email {
    Email::from_value(json!(text)).expect("a sample address is an address")
}

/// A user, its e-mail address and its credential.
pub fn account(number: u32, address: &str) -> (User, Email, Credential) {
    let email = email(address);
    let user = User::register(user_id(number), &email, format!("User {number}"), now());
    let credential = Credential::new(user.user_id, format!("$argon2id$the hash of {number}"));
    (user, email, credential)
}

/// An authenticated caller.
pub fn caller(number: u32) -> Caller {
    Caller { user_id: user_id(number), session_id: session_id(number) }
}

/// The stock of a sample product.
pub const STOCK: i64 = 3;

/// A product as it is listed: with the stock of a sample product that nobody has ordered.
pub fn listed(product: Product, rating: Rating) -> ListedProduct {
    ListedProduct { rating, ..ListedProduct::unrated(product, stock(STOCK)) }
}

/// A product in the category `food`, sold by the user with this number.
pub fn product(number: u32, seller: u32) -> Product {
    product_in("food", number, seller)
}

/// A product in a category.
pub fn product_in(category: &str, number: u32, seller: u32) -> Product {
    let draft = NewProduct::from_json(json!({
        "name": format!("Jam {number}"), "description": "Sweet.", "category": category,
        "price": {"amount": 650, "currency": "SGD"}, "stock": STOCK,
    }));
    let NewProduct { draft, .. } = draft.expect("a sample product is a product");
    Product::publish(product_id(number), &caller(seller), draft, later(number.into()))
}

/// A visitor's id.
pub fn visitor_id(number: u32) -> VisitorUuid {
    VisitorUuid::new(now(), random(number))
}

/// The overlay of a price experiment in which half of the visitors pay this amount, and the others the product's own price.
pub fn overlay(amount: i64) -> Overlay {
    let half = Share::new(5_000).expect("a half is a share");
    let variant = |key: &str, price| OverlayVariant { key: key.to_owned(), weight: half, price };
    Overlay {
        experiment_id: ExperimentId::new(now(), random(1)),
        hash_version: HashVersion::V2,
        coverage: Share::ALL,
        variants: vec![variant("control", None), variant("other", Some(amount))],
        seed: String::new(),
        namespace: None,
    }
}

/// The next version of a product, whose overlay was replaced after this number of seconds.
pub fn overlaid(product: &Product, overlay: Option<Overlay>, seconds: u64) -> Product {
    let pricing = product.pricing.replaced(overlay, product.draft.price, later(seconds));
    Product { pricing, version: product.version + 1, ..product.clone() }
}

/// Two visitors who get the first and the second variant of [`overlay`].
pub fn visitors_of_both_variants() -> [VisitorUuid; 2] {
    let overlay = overlay(1);
    ["control", "other"].map(|key| {
        let has_variant = |visitor: &VisitorUuid| overlay.variant(*visitor).is_some_and(|it| it.key == key);
        (0..1000).map(visitor_id).find(has_variant).expect("each variant has half of the visitors")
    })
}

/// The next version of a product, with a different price.
pub fn next_version(product: &Product) -> Product {
    let mut next = product.clone();
    next.version += 1;
    next.updated_at = later(next.version);
    next.draft.price = Money { amount: next.draft.price.amount + 1, ..next.draft.price };
    next
}

/// A review of a product; a higher number gives a later time and a lower author id.
pub fn review(product: ProductId, number: u32) -> Review {
    let at = later(number.into());
    let review = serde_json::from_value(json!({
        "productId": product, "authorId": user_id(u32::MAX - number),
        "rating": number % 5 + 1, "title": format!("Review {number}"), "body": "Good.",
        "version": 1, "createdAt": at, "updatedAt": at,
    }));
    review.expect("a sample review is a review")
}

/// The next version of a review, with one star less; one star becomes five.
pub fn next_review(review: &Review) -> Review {
    let mut next = review.clone();
    next.version += 1;
    next.updated_at = later(next.version);
    let less = i64::from(next.draft.rating.get()) - 1;
    next.draft.rating = stars(if less == 0 { 5 } else { less });
    next
}

/// A rating of this number of stars.
pub fn stars(number: i64) -> Stars {
    Stars::new(number).expect("a sample rating is one to five stars")
}

/// An idempotency key and the fingerprint of a body; each `body` gives a different fingerprint.
pub fn once(key: &str, body: u8) -> Idempotency {
    Idempotency { key: IdempotencyKey::parse(key).expect("a sample key is a key"), fingerprint: [body; 32] }
}

/// A session and its refresh token; the secret and its hash consist of this byte.
pub fn session(number: u32, secret: u8) -> (Session, RefreshToken) {
    let token = RefreshToken {
        user_id: user_id(number),
        session_id: session_id(number),
        secret: RefreshSecret([secret; 32]),
    };
    let session = Session {
        user_id: token.user_id,
        session_id: token.session_id,
        secret_hash: [secret; 32],
        expires_at: later(1000),
        user_agent: None,
    };
    (session, token)
}

/// An exchange of secrets whose hashes consist of these bytes. The first was issued by us.
pub fn exchange(shown: u8, next: u8) -> Exchange {
    Exchange { shown: [shown; 32], next: [next; 32], issued: true }
}

/// The stored attributes of a review, without its keys.
pub fn review_attributes(review: &Review) -> Value {
    let members = serde_json::to_value(review).expect("a review is JSON");
    let attribute = |value: &Value| match value {
        Value::String(text) => json!({"S": text}),
        Value::Bool(yes) => json!({"BOOL": yes}),
        number => json!({"N": number.to_string()}),
    };
    members.as_object().into_iter().flatten().map(|(name, value)| (name.clone(), attribute(value))).collect()
}

/// Events of one visitor: some 200 bytes each, by a client that gives no `messageId`. Another seed gives other events.
pub fn visit(seed: u64, count: usize) -> Vec<Value> {
    let names = ["Product Viewed", "Product List Viewed", "Product Clicked", "Product Added"];
    // Gaps between events and choices of products that repeat in no pattern a compressor could find.
    let mut seed = seed;
    let mut draw = |below: u32| {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (seed >> 33) % u64::from(below)
    };
    let mut time = now().unix_milliseconds() - 3_600_000;
    let mut event = || {
        time += draw(4000);
        let (product, name) = (draw(40), draw(4));
        json!({
            "type": "track", "event": names[usize::try_from(name).unwrap_or_default()],
            "anonymousId": "5c0f1d52-8c1b-4d0e-9f39-0a6f1c7b2e64", "timestamp": Timestamp::from_unix_milliseconds(time),
            "properties": {"productId": format!("01980c31-02b4-7f60-8c1d-5e2a9b7f4c{product:02}"), "position": draw(20)},
        })
    };
    (0..count).map(|_| event()).collect()
}
