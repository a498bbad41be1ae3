//! Users, products and reviews for tests: the same number makes the same one.

use domain::{
    Input, Money, Timestamp,
    id::{Id, ProductId, SessionId, UserId},
    idempotency::{Key, Once},
    product::{Product, ProductDraft},
    review::{Review, Stars},
    session::{RefreshSecret, RefreshToken, Session},
    user::{Caller, Email, User},
};
use serde_json::{Value, json};
use table::Credential;

/// When tests take place: 2025-11-20T17:30:27.040Z.
pub fn now() -> Timestamp {
    Timestamp::from_unix_milliseconds(1_763_659_827_040)
}

/// The time so many seconds later.
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

/// A product's id; a higher number is a later one.
pub fn product_id(number: u32) -> ProductId {
    ProductId::new(later(number.into()), random(number))
}

/// A session's id.
pub fn session_id(number: u32) -> SessionId {
    SessionId::new(now(), random(number))
}

/// An e-mail address.
pub fn email(text: &str) -> Email {
    Email::from_value(json!(text)).expect("a sample address is an address")
}

/// A user with the address to register it under and what it logs in with.
pub fn account(number: u32, address: &str) -> (User, Email, Credential) {
    let user = User {
        user_id: user_id(number),
        email: address.to_owned(),
        display_name: format!("User {number}"),
        created_at: now(),
    };
    let credential =
        Credential { user_id: user.user_id, password_hash: format!("$argon2id$the hash of {number}") };
    (user, email(address), credential)
}

/// Who calls.
pub fn caller(number: u32) -> Caller {
    Caller { user_id: user_id(number), session_id: session_id(number) }
}

/// A product in the category `food`, of the seller of this number.
pub fn product(number: u32, seller: u32) -> Product {
    product_in("food", number, seller)
}

/// A product in a category.
pub fn product_in(category: &str, number: u32, seller: u32) -> Product {
    let draft = ProductDraft::from_json(json!({
        "name": format!("Jam {number}"), "description": "Sweet.", "category": category,
        "price": {"amount": 650, "currency": "SGD"}, "stock": 3,
    }));
    let draft = draft.expect("a sample product is a product");
    Product::publish(product_id(number), &caller(seller), draft, later(number.into()))
}

/// The next version of a product, at another price.
pub fn next_version(product: &Product) -> Product {
    let mut next = product.clone();
    next.version += 1;
    next.updated_at = later(next.version);
    next.draft.price = Money { amount: next.draft.price.amount + 1, ..next.draft.price };
    next
}

/// A review of a product; a higher number is a later one, and by an author who sorts before.
pub fn review(product: ProductId, number: u32) -> Review {
    let at = later(number.into());
    let review = serde_json::from_value(json!({
        "productId": product, "authorId": user_id(u32::MAX - number),
        "rating": number % 5 + 1, "title": format!("Review {number}"), "body": "Good.",
        "version": 1, "createdAt": at, "updatedAt": at,
    }));
    review.expect("a sample review is a review")
}

/// The next version of a review, with one star less, or five after one.
pub fn next_review(review: &Review) -> Review {
    let mut next = review.clone();
    next.version += 1;
    next.updated_at = later(next.version);
    let less = i64::from(next.draft.rating.get()) - 1;
    next.draft.rating = stars(if less == 0 { 5 } else { less });
    next
}

/// So many stars.
pub fn stars(number: i64) -> Stars {
    Stars::new(number).expect("a sample rating is one to five stars")
}

/// A request with this idempotency key; the number stands for its body.
pub fn once(key: &str, body: u8) -> Once {
    Once { key: Key::parse(key).expect("a sample key is a key"), fingerprint: [body; 32] }
}

/// A session whose refresh token has this byte for a secret, with that token.
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
        created_at: now(),
        expires_at: later(1000),
    };
    (session, token)
}

/// A review as it is stored, but for its keys.
pub fn review_attributes(review: &Review) -> Value {
    let members = serde_json::to_value(review).expect("a review is JSON");
    let attribute = |value: &Value| match value {
        Value::String(text) => json!({"S": text}),
        number => json!({"N": number.to_string()}),
    };
    members.as_object().into_iter().flatten().map(|(name, value)| (name.clone(), attribute(value))).collect()
}
