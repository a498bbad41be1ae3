//! The prices of an experiment: what a visitor is shown on pages and in lists is what they pay, and nothing that a client
//! says changes it.

use crate::{
    orders::{VISA, place},
    souk::{Answer, Call, PASSWORD, SOUK, User, draft, eventually, new_email, registration, unique},
};
use domain::{
    Input, Money, assignment::Assignment, experiment_draft::ExperimentDraft, id::VisitorUuid, overlay::Offer,
    pricing::Pricing,
};
use serde_json::{Value, json};

/// The path of an experiment, who gets which variant, its products, and what their overlays offer.
pub struct Test {
    pub path: String,
    pub id: String,
    pub assignment: Assignment,
    category: String,
    products: Vec<Tested>,
}

/// A product in an experiment.
struct Tested {
    path: String,
    id: Value,
    own: Money,
    pricing: Pricing,
}

/// A visitor, with the token that the service signed.
pub struct Visitor {
    pub id: VisitorUuid,
    token: String,
}

impl Visitor {
    pub fn new() -> Self {
        let made = SOUK.send(Call::new("POST", "/visitors"));
        assert_eq!(made.status, 201, "{made:?}");
        let id = made.body["visitorId"].as_str().unwrap().parse().unwrap();
        Self { id, token: made.body["token"].as_str().unwrap().to_owned() }
    }

    fn get(&self, path: &str) -> Answer {
        SOUK.send(Call::new("GET", path).header("souk-visitor", &self.token))
    }

    /// A user who logs in with this visitor's token for the first time, so that the account is bound to it.
    pub fn log_in(&self) -> User {
        let email = new_email();
        let registered = SOUK.send(Call::new("POST", "/users").json(&registration(&email)));
        let credentials = json!({"email": email, "password": PASSWORD});
        let call = Call::new("POST", "/sessions").header("souk-visitor", &self.token).json(&credentials);
        let session = SOUK.send(call).body;
        User {
            id: registered.body["userId"].as_str().unwrap().to_owned(),
            email,
            token: session["accessToken"].as_str().unwrap().to_owned(),
            refresh: session["refreshToken"].as_str().unwrap().to_owned(),
        }
    }
}

/// Starts an experiment of three variants with two products of a category of its own.
pub fn start(seller: &User) -> Test {
    let category = unique();
    let mut draft = draft();
    (draft["category"], draft["stock"]) = (json!(category), json!(100));
    let published = [2_000, 650].map(|amount| {
        draft["price"]["amount"] = json!(amount);
        SOUK.product_of(seller, &draft)
    });
    let prices = |amounts: [i64; 2]| -> Value {
        let price = |(product, amount): (&Answer, i64)| json!({"productId": product.body["productId"], "price": {"amount": amount, "currency": "SGD"}});
        published.iter().zip(amounts).map(price).collect()
    };
    let experiment = json!({
        "name": "Two prices",
        "metrics": {"primary": "conversion", "secondary": ["revenuePerVisitor", "averageOrder"]},
        "variants": [
            {"key": "control", "weight": 3_334, "prices": []},
            {"key": "low", "weight": 3_333, "prices": prices([1_700, 600])},
            {"key": "high", "weight": 3_333, "prices": prices([2_300, 700])},
        ],
    });
    let made = SOUK.send(seller.call("POST", "/experiments").json(&experiment));
    assert_eq!(made.status, 201, "{made:?}");
    let path = made.header("location").to_owned();
    change(seller, &path, "running");
    let id = made.body["experimentId"].as_str().unwrap().to_owned();
    let draft = ExperimentDraft::from_json(experiment).unwrap();
    let assignment = draft.assignment(id.parse().unwrap());
    let tested = |product: &Answer| {
        let (text, path) =
            (product.body["productId"].as_str().unwrap(), product.header("location").to_owned());
        let overlay = Some(draft.overlay(id.parse().unwrap(), text.parse().unwrap()));
        let own = serde_json::from_value(product.body["price"].clone()).unwrap();
        Tested { path, id: text.into(), own, pricing: Pricing { overlay, promises: Vec::new() } }
    };
    let products = published.iter().map(tested).collect();
    Test { path, id: id.clone(), assignment, category, products }
}

/// Starts or stops an experiment.
pub fn change(seller: &User, path: &str, status: &str) {
    let call = seller.call("PATCH", path).header("if-match", "*").json(&json!({"status": status}));
    let changed = SOUK.send(call);
    assert_eq!((changed.status, &changed.body["status"]), (200, &json!(status)), "{changed:?}");
}

impl Test {
    /// What a visitor is offered: the assignment computed again from the experiment that was drafted.
    pub fn offers(&self, visitor: Option<&Visitor>) -> Vec<Offer> {
        let offer = |product: &Tested| product.pricing.offer(visitor.map(|visitor| visitor.id), product.own);
        self.products.iter().map(offer).collect()
    }

    /// The body of an order of one unit of each product with the total of these offers.
    pub fn order(&self, offers: &[Offer]) -> Value {
        let lines: Vec<Value> =
            self.products.iter().map(|product| json!({"productId": product.id, "quantity": 1})).collect();
        let amount: i64 = offers.iter().map(|offer| offer.price.amount).sum();
        json!({"lines": lines, "expectedTotal": {"amount": amount, "currency": "SGD"}, "paymentMethod": VISA})
    }
}

/// The prices and experiments that lines, products of a list, or pages show.
pub fn shown<'a>(items: impl IntoIterator<Item = &'a Value>, price: &str) -> Vec<(Value, Value)> {
    items.into_iter().map(|item| (item[price].clone(), item["experiment"].clone())).collect()
}

pub fn expected(offers: &[Offer]) -> Vec<(Value, Value)> {
    offers.iter().map(|offer| (json!(offer.price), json!(offer.experiment))).collect()
}

/// A visitor of each variant: low, control, high.
fn visitors(test: &Test) -> Vec<Visitor> {
    let mut found: Vec<Visitor> = Vec::new();
    eventually("there is a visitor of each variant", || {
        let visitor = Visitor::new();
        let new = test.offers(Some(&visitor));
        if found.iter().all(|known| test.offers(Some(known)) != new) {
            found.push(visitor);
        }
        found.len() == 3
    });
    found.sort_by_key(|visitor| test.offers(Some(visitor))[0].price.amount);
    found
}

#[test]
fn a_visitor_pays_what_they_are_shown_and_no_client_can_change_it() {
    let seller = SOUK.user();
    let test = start(&seller);
    let visitors = visitors(&test);
    let list = format!("/products?category={}", test.category);
    let own = test.offers(None);

    let mut tags = Vec::new();
    for visitor in &visitors {
        let offers = test.offers(Some(visitor));
        for (product, offer) in test.products.iter().zip(&offers) {
            eventually("the page shows the visitor's price", || {
                shown([&visitor.get(&product.path).body], "price") == expected(std::slice::from_ref(offer))
            });
        }
        let page = visitor.get(&test.products[0].path);
        assert_eq!(page.header("cache-control"), "private, no-cache");
        let tag = page.header("etag").to_owned();
        let known = Call::new("GET", &test.products[0].path).header("souk-visitor", &visitor.token);
        assert_eq!(SOUK.send(known.header("if-none-match", &tag)).status, 304);
        tags.push(tag);
        let listed = visitor.get(&list);
        // Newest first.
        let items = listed.body["items"].as_array().unwrap().iter().rev();
        assert_eq!(shown(items, "price"), expected(&offers));
        assert_eq!(listed.header("cache-control"), "private, no-cache");
    }
    tags.push(SOUK.get(&test.products[0].path).header("etag").to_owned());
    tags.sort();
    tags.dedup();
    assert_eq!(tags.len(), 4, "{tags:?}");

    // Without an id, or with one that the service did not sign, everybody sees the products' own prices.
    let (low, mac) = visitors[0].token.split_once('.').unwrap();
    let (_, other_mac) = visitors[2].token.split_once('.').unwrap();
    let forged = [low.to_owned(), format!("{low}.{other_mac}"), format!("{low}.{mac}x"), "x.y".to_owned()];
    for token in forged.iter().map(Some).chain([None]) {
        for path in [&test.products[0].path, &list] {
            let call = Call::new("GET", path);
            let call = token.iter().fold(call, |call, token| call.header("souk-visitor", token));
            let answer = SOUK.send(call);
            assert!(!answer.text.contains("experiment") && !answer.text.contains("overlay"), "{answer:?}");
            assert_eq!((answer.header("vary"), answer.header("cache-control")), ("Souk-Visitor, Cookie", ""));
        }
    }

    // Each visitor pays their own price, whatever the request says about other visitors.
    let buyers: Vec<User> = visitors.iter().map(Visitor::log_in).collect();
    let mut placed = Vec::new();
    for (index, (visitor, buyer)) in visitors.iter().zip(&buyers).enumerate() {
        let (offers, other) = (test.offers(Some(visitor)), &visitors[(index + 1) % 3]);
        let others = test.order(&test.offers(Some(other)));
        let call = buyer.call("POST", "/orders").header("idempotency-key", &unique());
        let refused = SOUK.send(call.header("souk-visitor", &other.token).json(&others));
        // The products' own prices were everybody's until the start.
        if test.offers(Some(other)).iter().map(|offer| offer.price).ne(own.iter().map(|offer| offer.price)) {
            refused.problem(409, "price-changed");
            assert_eq!(shown(refused.body["lines"].as_array().unwrap(), "unitPrice"), expected(&offers));
        } else {
            assert_eq!(shown(refused.body["lines"].as_array().unwrap(), "unitPrice"), expected(&own));
        }
        let (key, body) = (unique(), test.order(&offers));
        let order = place(&SOUK, buyer, &key, &body);
        assert_eq!((order.status, &order.body["visitorId"]), (201, &json!(visitor.id)), "{order:?}");
        assert_eq!(shown(order.body["lines"].as_array().unwrap(), "unitPrice"), expected(&offers));
        placed.push((key, body, order));
    }
    let nobody = SOUK.user();
    place(&SOUK, &nobody, &unique(), &test.order(&test.offers(Some(&visitors[0]))))
        .problem(409, "price-changed");
    let order = place(&SOUK, &nobody, &unique(), &test.order(&own));
    assert_eq!((order.status, order.body.get("visitorId")), (201, None), "{order:?}");
    assert_eq!(shown(order.body["lines"].as_array().unwrap(), "unitPrice"), expected(&own));

    // The end takes the price from nobody who was offered it, and repeated requests find their orders.
    change(&seller, &test.path, "stopped");
    for ((visitor, buyer), (key, body, first)) in visitors.iter().zip(&buyers).zip(&placed) {
        let offers = test.offers(Some(visitor));
        let again = place(&SOUK, buyer, key, body);
        assert_eq!((again.status, again.header("idempotency-replayed")), (201, "true"));
        let late = place(&SOUK, buyer, &unique(), &test.order(&offers));
        let read = SOUK.send(buyer.call("GET", first.header("location")));
        let listed = SOUK.send(buyer.call("GET", "/orders"));
        let oldest = listed.body["items"].as_array().unwrap().last().unwrap();
        // A total that is right now is one without the experiment.
        let is_own = offers.iter().map(|offer| offer.price).eq(own.iter().map(|offer| offer.price));
        let offered_late = if is_own { &own } else { &offers };
        for (order, offers) in [(&again.body, &offers), (&read.body, &offers), (&late.body, offered_late)] {
            assert_eq!(order["visitorId"], json!(visitor.id), "{order}");
            assert_eq!(shown(order["lines"].as_array().unwrap(), "unitPrice"), expected(offers));
        }
        assert_eq!(oldest["visitorId"], json!(visitor.id));
        eventually("the page shows the product's own price", || {
            let page = visitor.get(&test.products[0].path);
            shown([&page.body], "price") == vec![(json!(own[0].price), Value::Null)]
                && page.header("cache-control").is_empty()
        });
    }
    assert_eq!(SOUK.send(seller.call("GET", &test.path)).body["experimentId"], test.id);
}
