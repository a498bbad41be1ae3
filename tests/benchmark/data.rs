//! The content of the tables, and the events that the functions are sent.

use domain::{
    Money,
    concert::{Concert, Performer, VenueSummary},
    geo::Coordinates,
    id::{BandId, ConcertId, Id, ProductId, VenueId},
    overlay::Overlay,
    product::ReviewPosition,
    review::Review,
};
use dynoxide::Item;
use serde_json::{Value, json};
use table::keys;
use tests::{
    items, project,
    samples::{caller, later, now, overlay, product_id, product_in, review, user_id, visitor_id},
};
use web::visitor_token::VisitorKeys;

/// The number of items in a chunk.
const CHUNK: usize = 2_000;

/// The number of products with reviews in a table, evenly distributed.
pub const REVIEWED: u32 = 100;

const SELLERS: u32 = 1_000;
const CATEGORIES: u32 = 100;
const CONCERTS_OF_A_BAND: u32 = 50;
const MONTH: u64 = 30 * 24 * 3600;

/// The number of concerts in the town, in the month that is searched.
const IN_TOWN: u32 = 300;

/// The price of a product in the second variant of its experiment.
const TESTED_PRICE: i64 = 590;

/// The text of every secret.
pub const SECRET: &str = "a secret of a benchmark, of more than forty-three characters";

/// The content of a table.
#[derive(Clone, Copy, PartialEq)]
pub enum World {
    /// Products, some with ten reviews.
    Products,
    /// The same products, all of them in a running price experiment.
    TestedProducts,
    /// Concerts, most of them far from the town that is searched.
    Concerts,
}

impl World {
    /// The items of `count` products or concerts, in chunks.
    pub fn items(self, count: u32) -> Box<dyn Iterator<Item = Vec<Item>> + Send> {
        let items: Box<dyn Iterator<Item = Item> + Send> = match self {
            Self::Products => Box::new((0..count).flat_map(move |number| of_product(number, count, None))),
            Self::TestedProducts => {
                let overlay = overlay(TESTED_PRICE);
                Box::new((0..count).flat_map(move |number| of_product(number, count, Some(&overlay))))
            }
            Self::Concerts => {
                Box::new((0..count).flat_map(move |number| items::of_concert(&concert(number))))
            }
        };
        let mut items = items;
        Box::new(std::iter::from_fn(move || {
            let chunk: Vec<_> = items.by_ref().take(CHUNK).collect();
            (!chunk.is_empty()).then_some(chunk)
        }))
    }
}

fn of_product(number: u32, count: u32, overlay: Option<&Overlay>) -> Vec<Item> {
    let category = format!("category {}", number % CATEGORIES);
    let reviews = if number.is_multiple_of(count / REVIEWED) { 10 } else { 0 };
    let mut product = product_in(&category, number, number % SELLERS);
    product.pricing.overlay = overlay.cloned();
    items::of_product(&product, reviews)
}

fn new_id<I: Id>(number: u32) -> I {
    let mut random = [0; 10];
    random[6..].copy_from_slice(&number.to_be_bytes());
    I::new(now(), random)
}

fn band_id(number: u32) -> BandId {
    new_id(number / CONCERTS_OF_A_BAND)
}

/// A concert: the first `IN_TOWN` are in a town within 22 km, the others in the southern hemisphere in the same month.
fn concert(number: u32) -> Concert {
    let spread = |step: u32, steps: u32| f64::from(number.wrapping_mul(step) % steps) / f64::from(steps);
    let place = if number < IN_TOWN {
        Coordinates { latitude: 48.0 + 0.4 * spread(7, 300), longitude: 16.2 + 0.4 * spread(11, 299) }
    } else {
        let latitude = -60.0 * spread(7919, 99_991);
        Coordinates { latitude, longitude: 360.0 * spread(104_729, 1_299_709) - 180.0 }
    };
    let (name, address) =
        (format!("Hall {number}").parse().expect("a name"), "1 Road".parse().expect("an address"));
    Concert {
        concert_id: new_id::<ConcertId>(number),
        owner_id: user_id(7),
        name: format!("Night {number}").parse().expect("a name"),
        bands: vec![Performer { band_id: band_id(number), name: "The Band".parse().expect("a name") }],
        venue: VenueSummary { venue_id: new_id::<VenueId>(number), name, address, place },
        starts_at: later(MONTH + u64::from(number.wrapping_mul(7919)) % MONTH),
        created_at: now(),
    }
}

/// A request event of the gateway.
pub fn request(method: &str, route: &str, parameters: &Value, path: &str, user: Option<u32>) -> Value {
    let mut event: Value =
        serde_json::from_str(&project::read("events/http-get.json")).expect("a sample event");
    let route = format!("{method} {route}");
    event["requestContext"]["http"]["method"] = method.into();
    event["requestContext"]["http"]["path"] = path.into();
    event["requestContext"]["routeKey"] = route.clone().into();
    event["routeKey"] = route.into();
    event["rawPath"] = path.into();
    event["pathParameters"] = parameters.clone();
    event["headers"]["content-type"] = "application/json".into();
    if let Some(user) = user {
        let caller = caller(user);
        let expires_at = 4_102_444_800_u64;
        let fields =
            json!({"userId": caller.user_id, "sessionId": caller.session_id, "expiresAt": expires_at});
        event["requestContext"]["authorizer"] = json!({ "lambda": fields });
    }
    event
}

/// One of the products with reviews.
pub fn reviewed_product(number: u32, count: u32) -> ProductId {
    product_id(number % REVIEWED * (count / REVIEWED))
}

/// `GET /products/{productId}` of a product with ten reviews.
pub fn product_get(number: u32, count: u32) -> Value {
    let id = reviewed_product(number, count);
    request("GET", "/products/{productId}", &json!({"productId": id}), &format!("/products/{id}"), None)
}

/// As [`product_get`], of a visitor who is in the product's experiment.
pub fn product_get_of_visitor(number: u32, count: u32) -> Value {
    let keys = VisitorKeys::from_secrets([SECRET]);
    let signed = keys.sign(visitor_id(number)).expect("there is a key");
    let mut event = product_get(number, count);
    event["headers"]["souk-visitor"] = signed.token.into();
    event
}

/// `PATCH /products/{productId}`: a different product each time, until all products were changed.
pub fn product_update(number: u32, count: u32) -> Value {
    // Consecutive events change products that are far apart in the table.
    let (product, version) = (number.wrapping_mul(7919) % count, 1 + number / count);
    let id = product_id(product);
    let path = format!("/products/{id}");
    let parameters = json!({"productId": id});
    let mut event = request("PATCH", "/products/{productId}", &parameters, &path, Some(product % SELLERS));
    event["headers"]["if-match"] = format!("\"{version}\"").into();
    event["body"] = json!({"stock": number % 1000}).to_string().into();
    event
}

/// `POST /products/{productId}/reviews`, each by a different author.
pub fn review_create(number: u32, count: u32) -> Value {
    let id = product_id(number.wrapping_mul(7919) % count);
    let path = format!("/products/{id}/reviews");
    let parameters = json!({"productId": id});
    let route = "/products/{productId}/reviews";
    let mut event = request("POST", route, &parameters, &path, Some(1_000_000 + number));
    event["headers"]["idempotency-key"] = format!("review-{number}").into();
    let body = "It keeps what its label says. I would buy it again, and so would my neighbours.";
    event["body"] =
        json!({"rating": number % 5 + 1, "title": "As it should be", "body": body}).to_string().into();
    event
}

/// `POST /orders` of three products, each by a different customer.
pub fn order_place(number: u32, count: u32) -> Value {
    // Three products that all have one price.
    order_of(number, count, product_in("food", 1, 1).draft.price)
}

/// As [`order_place`], of visitors who are in the experiment of all three products.
pub fn order_place_of_visitor(number: u32, count: u32) -> Value {
    let (visitor, mut tested) = (visitor_id(number), product_in("food", 1, 1));
    tested.pricing.overlay = Some(overlay(TESTED_PRICE));
    let mut event = order_of(number, count, tested.offer(Some(visitor)).price);
    event["requestContext"]["authorizer"]["lambda"]["visitorId"] = visitor.to_string().into();
    event
}

fn order_of(number: u32, count: u32, price: Money) -> Value {
    let mut event = request("POST", "/orders", &json!({}), "/orders", Some(1_000_000 + number));
    event["headers"]["idempotency-key"] = format!("order-{number}").into();
    let line =
        |line: u32| json!({"productId": product_id((3 * number + line) % count), "quantity": line + 1});
    let lines = [line(0), line(1), line(2)];
    // One, two and three units.
    let total = json!({"amount": 6 * price.amount, "currency": price.currency});
    event["body"] =
        json!({"lines": lines, "expectedTotal": total, "paymentMethod": "pm_card"}).to_string().into();
    event
}

/// `GET /concerts?bandIds=…`.
pub fn concerts_of_band(number: u32, count: u32) -> Value {
    let id = band_id(number.wrapping_mul(7919) % count);
    search(&format!("bandIds={id}"))
}

/// `GET /concerts?latitude=…`.
pub fn concerts_near(_: u32, _: u32) -> Value {
    search("latitude=48.2&longitude=16.4&radius=20")
}

fn search(query: &str) -> Value {
    let mut event = request("GET", "/concerts", &json!({}), "/concerts", None);
    event["rawQueryString"] = format!("{query}&from={}&to={}", later(0), later(3 * MONTH)).into();
    event
}

/// The number of records in a batch.
pub const BATCH: u32 = 100;

/// A stream batch: 100 new reviews of one product.
pub fn reviews_of_one(number: u32, count: u32) -> Value {
    batch(number, |_| number.wrapping_mul(7919) % count)
}

/// A stream batch: a new review of each of 100 products.
pub fn reviews_of_many(number: u32, count: u32) -> Value {
    batch(number, |record| (number.wrapping_mul(BATCH) + record).wrapping_mul(7919) % count)
}

fn batch(number: u32, product: impl Fn(u32) -> u32) -> Value {
    let record = |record: u32| {
        let review = review(product_id(product(record)), record);
        let key = keys::review(review.product_id, review.author_id);
        stream_record(u64::from(number) * u64::from(BATCH) + u64::from(record) + 1, &key, &image(&review))
    };
    json!({"Records": (0..BATCH).map(record).collect::<Vec<_>>()})
}

/// The record of a new item in the table's stream.
pub fn stream_record(sequence: u64, key: &keys::Key, image: &Value) -> Value {
    json!({
        "eventID": format!("{sequence:032}"), "eventName": "INSERT", "eventVersion": "1.1",
        "eventSource": "aws:dynamodb", "awsRegion": "ap-southeast-1",
        "dynamodb": {
            "ApproximateCreationDateTime": 1_763_659_827, "Keys": {"pk": {"S": key.pk}, "sk": {"S": key.sk}},
            "SequenceNumber": sequence.to_string(), "SizeBytes": 412,
            "StreamViewType": "NEW_AND_OLD_IMAGES", "NewImage": image,
        },
        "eventSourceARN": "arn:aws:dynamodb:ap-southeast-1:0:table/souk/stream/2025-11-20T00:00:00.000",
    })
}

fn image(review: &Review) -> Value {
    let mut item = items::item_of(review);
    items::with_key(&mut item, ["pk", "sk"], keys::review(review.product_id, review.author_id));
    let position = ReviewPosition { created_at: review.created_at, author_id: review.author_id };
    items::with_key(&mut item, ["gsi1pk", "gsi1sk"], keys::review_on_page(review.product_id, &position));
    serde_json::to_value(item).expect("an item is JSON")
}
