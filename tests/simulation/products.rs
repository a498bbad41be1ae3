//! The catalog: users review a product, its seller changes and withdraws it, readers read its page, and the consumers of
//! the stream count ratings and warm the cache.

use crate::{
    api::{self, Call, Told},
    chance,
    run::Scenario,
    simulation::Simulation,
    stream,
};
use domain::id::ProductId;
use serde_json::{Value, json};
use std::{
    cell::Cell,
    collections::{BTreeMap, BTreeSet},
    rc::Rc,
};
use table::keys;
use tests::{
    items,
    samples::{product, product_id, user_id},
};

const SELLER: u32 = 7;
const READER: u32 = 8;

/// The statuses of requests about a product that is withdrawn, a review that is gone, or one that exists already.
const REFUSALS: &[u16] = &[404, 409, 412];

/// Users write, change and delete reviews of two products, whose seller changes and withdraws one.
pub const PRODUCTS: Scenario = Scenario {
    name: "products",
    start,
    sweeps: &["product-sweep"],
    is_unfinished,
    check,
    reaches: &[
        "invoke product-purge",
        "-1-1: review-purge",
        "cache fill",
        "cache put",
        "cache withdraw",
        "last sweep: product-sweep",
    ],
};

fn start(simulation: &Simulation, mut variation: u64) {
    let products = [1, 2].map(product_id);
    for number in [1, 2] {
        let product = product(number, SELLER);
        simulation.world().import(items::of_product(&product, 0));
        let counter = keys::category_count(&product.draft.category, keys::shard_of(product.product_id));
        simulation.world().put(&counter, &json!({"products": {"N": "1"}}));
    }
    *simulation.stream() = Some(Vec::new());
    // So that a deletion has several pages of reviews, and goes on in another execution.
    simulation.shorten_pages();
    let mut below = move |end: u64| chance::next(&mut variation) % end;
    for (name, author) in [("alice", 1), ("bob", 2)] {
        let of = products[usize::from(below(4) == 0)];
        let (stars, next, steps) = (1 + below(5), 1 + below(5), below(4));
        simulation.client(name, move |simulation| async move {
            let created = json!({"rating": stars, "title": "T", "body": ""});
            review(&simulation, "review-create", of, author, created).await;
            if steps > 0 {
                review(&simulation, "review-update", of, author, json!({"rating": next})).await;
            }
            if steps > 1 {
                review(&simulation, "review-delete", of, author, Value::Null).await;
            }
        });
    }
    let (changes, withdraws) = (below(3), below(2) == 0);
    let told = Rc::new(Cell::new(1));
    simulation.client("seller", {
        let told = Rc::clone(&told);
        move |simulation| async move {
            for change in 0..changes {
                // Also to another category.
                let change = json!({"name": format!("Name {change}"), "category": format!("c{change}")});
                if let Some(Told { status: 200, body }) = manage(&simulation, "product-update", change).await
                {
                    told.set(body["version"].as_u64().unwrap());
                }
            }
            if withdraws
                && let Some(Told { status: 204, .. }) =
                    manage(&simulation, "product-delete", Value::Null).await
            {
                told.set(u64::MAX);
            }
        }
    });
    simulation.client("reader", move |simulation| async move {
        for _ in 0..3 {
            read(&simulation, &told).await;
        }
    });
    for (consumer, name) in [("rating-average", "ratings"), ("cache-warm", "pages")] {
        for (number, product) in (1..).zip(products) {
            let seed = below(u64::MAX);
            simulation.client(&format!("{name} {number}"), move |simulation| {
                stream::deliver(simulation, consumer, product, seed)
            });
        }
    }
}

async fn review(simulation: &Simulation, function: &'static str, of: ProductId, author: u32, body: Value) {
    let path = vec![("productId", of.to_string()), ("authorId", user_id(author).to_string())];
    api::call_or(simulation, &Call { path, body, ..Call::to(function, author) }, REFUSALS).await;
}

async fn manage(simulation: &Simulation, function: &'static str, body: Value) -> Option<Told> {
    let path = vec![("productId", product_id(1).to_string())];
    api::call_or(simulation, &Call { path, body, ..Call::to(function, SELLER) }, REFUSALS).await
}

/// Reads the page: it is not older than what the seller was told before, unless an invalidation has failed.
async fn read(simulation: &Simulation, told: &Cell<u64>) {
    let path = vec![("productId", product_id(1).to_string())];
    let before = told.get();
    let request = Call { path, ..Call::to("product-get", READER) };
    if let Some(Told { status: 200, body }) = api::call_or(simulation, &request, REFUSALS).await
        && body["version"].as_u64().unwrap() < before
        && !simulation.is_cache_excused()
    {
        let version = &body["version"];
        simulation.find(format!("a reader gets version {version} after the seller was told {before}"));
    }
}

/// A product with its rating and its reviews, from the table or from its page in the cache.
#[derive(Debug, PartialEq)]
struct Shown {
    version: u64,
    stock: i64,
    rating: [u64; 5],
    /// The authors and the numbers of stars.
    reviews: BTreeSet<(String, u64)>,
}

impl Shown {
    /// A product that is not hidden, in the table.
    fn stored(simulation: &Simulation, id: ProductId) -> Option<Self> {
        let product = simulation.world().item(&keys::product(id));
        let stock = simulation.world().item(&keys::stock(id));
        let rating = simulation.world().item(&keys::rating(id));
        (product.is_object() && product["hidden"].is_null()).then(|| Self {
            version: number(&product["version"]),
            stock: number(&stock["stock"]).cast_signed(),
            rating: [1, 2, 3, 4, 5].map(|stars| number(&rating[format!("stars{stars}")])),
            reviews: reviews(simulation, id),
        })
    }

    /// A product's page in the cache.
    fn cached(simulation: &Simulation, id: ProductId) -> Option<Self> {
        let page = simulation.page(id)?;
        let body: Value = serde_json::from_str(page.split_once('\n').unwrap().1).unwrap();
        let reviews = body["reviews"]["items"].as_array().unwrap().iter().map(|review| {
            (review["authorId"].as_str().unwrap().to_owned(), review["rating"].as_u64().unwrap())
        });
        Some(Self {
            version: body["version"].as_u64().unwrap(),
            stock: body["stock"].as_i64().unwrap(),
            rating: [1, 2, 3, 4, 5]
                .map(|stars| body["rating"]["histogram"][stars.to_string()].as_u64().unwrap()),
            reviews: reviews.collect(),
        })
    }
}

/// A count of the table; a negative one, which agrees with nothing, is the largest number.
fn number(value: &Value) -> u64 {
    value["N"].as_str().map_or(0, |text| text.parse().unwrap_or(u64::MAX))
}

fn reviews(simulation: &Simulation, id: ProductId) -> BTreeSet<(String, u64)> {
    let partition = keys::product_partition(id);
    let items = simulation.world().items().into_iter().filter(|item| item["pk"]["S"] == *partition);
    let review = |item: Value| {
        let author = item["sk"]["S"].as_str().unwrap().strip_prefix("REVIEW#")?.to_owned();
        Some((author, number(&item["rating"])))
    };
    items.filter_map(review).collect()
}

fn is_unfinished(item: &Value) -> bool {
    item["pk"]["S"].as_str().is_some_and(|pk| pk.starts_with("WITHDRAWN#"))
}

/// The number of products of each category, as the counters say, and as there are products that are not hidden.
fn categories(simulation: &Simulation) -> [BTreeMap<String, i64>; 2] {
    let mut numbers = [BTreeMap::new(), BTreeMap::new()];
    for item in simulation.world().items() {
        let (pk, sk) = (item["pk"]["S"].as_str().unwrap(), item["sk"]["S"].as_str().unwrap());
        if pk.starts_with("CATEGORIES#") {
            let products: i64 = item["products"]["N"].as_str().unwrap().parse().unwrap();
            *numbers[0].entry(sk.to_owned()).or_default() += products;
        } else if sk == keys::PRODUCT && item["hidden"].is_null() {
            *numbers[1].entry(item["category"]["S"].as_str().unwrap().to_owned()).or_default() += 1;
        }
    }
    // A counter that is zero is deleted, unless the function dies before that.
    numbers[0].retain(|_, products| *products != 0);
    numbers
}

fn check(simulation: &Simulation) -> Vec<String> {
    let mut wrong = Vec::new();
    let [counted, shown] = categories(simulation);
    if counted != shown {
        wrong.push(format!("categories are counted as {counted:?}, and have {shown:?}"));
    }
    for id in [1, 2].map(product_id) {
        let (stored, cached) = (Shown::stored(simulation, id), Shown::cached(simulation, id));
        if let Some(cached) = cached
            && Some(&cached) != stored.as_ref()
        {
            wrong.push(format!("the cache has {cached:?}, and the table {stored:?}"));
        }
        let Some(stored) = stored else {
            wrong.extend(left_over(simulation, id));
            continue;
        };
        let mut counted = [0; 5];
        for (_, stars) in &stored.reviews {
            counted[usize::try_from(stars - 1).unwrap()] += 1;
        }
        if stored.rating != counted {
            wrong.push(format!("the rating is {:?}, and the reviews are {counted:?}", stored.rating));
        }
    }
    wrong
}

/// The items of a product that is withdrawn. Responses that are stored for repeated requests expire by themselves.
fn left_over(simulation: &Simulation, id: ProductId) -> impl Iterator<Item = String> {
    let items = simulation.world().items().into_iter();
    let of_product = items.filter(move |item| {
        let (pk, sk) = (item["pk"]["S"].as_str().unwrap(), item["sk"]["S"].as_str().unwrap());
        (pk.contains(&id.to_string()) || sk.contains(&id.to_string())) && !sk.starts_with("IDEMPOTENCY#")
    });
    of_product.map(|item| format!("of the withdrawn product is left: {} {}", item["pk"], item["sk"]))
}

#[test]
fn ratings_and_pages_agree_with_the_table() {
    PRODUCTS.assert_holds(200);
}
