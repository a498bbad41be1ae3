//! `GET /products/{productId}`, written as the examples of Lambda's runtime for Rust are: the defaults of aws-config,
//! of the SDK's client and of lambda_http, and one type for each item.

use aws_config::BehaviorVersion;
use aws_sdk_dynamodb::{
    Client,
    types::{AttributeValue, ReturnConsumedCapacity},
};
use lambda_http::{Body, Error, Request, RequestExt, Response, run, service_fn, tracing};
use serde::{Deserialize, Serialize};
use serde_dynamo::aws_sdk_dynamodb_1::from_item;
use serde_json::json;
use std::collections::BTreeMap;

/// Product, stock, rating, ten reviews, and one that shows that there are more.
const ITEMS_OF_PAGE: i32 = 14;
const REVIEWS_ON_PAGE: usize = 10;

#[derive(Debug, Serialize, Deserialize)]
struct Price {
    amount: i64,
    currency: String,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Product {
    product_id: String,
    seller_id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    seller_name: Option<String>,
    name: String,
    description: String,
    category: String,
    price: Price,
    #[serde(skip_serializing_if = "Option::is_none")]
    image_url: Option<String>,
    version: u64,
    created_at: String,
    updated_at: String,
}

#[derive(Debug, Deserialize)]
struct Stock {
    stock: i64,
}

/// The number of reviews with each number of stars.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Stars {
    stars1: u64,
    stars2: u64,
    stars3: u64,
    stars4: u64,
    stars5: u64,
}

#[derive(Debug, Serialize)]
struct Rating {
    average: Option<f64>,
    count: u64,
    histogram: BTreeMap<String, u64>,
}

impl From<Stars> for Rating {
    fn from(stars: Stars) -> Self {
        let numbers = [stars.stars1, stars.stars2, stars.stars3, stars.stars4, stars.stars5];
        let histogram: BTreeMap<String, u64> =
            numbers.iter().enumerate().map(|(index, number)| ((index + 1).to_string(), *number)).collect();
        let count: u64 = numbers.iter().sum();
        let sum: u64 = (1..).zip(numbers).map(|(stars, number)| stars * number).sum();
        let average = (count > 0).then(|| sum as f64 / count as f64);
        Self { average, count, histogram }
    }
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Review {
    product_id: String,
    author_id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    author_name: Option<String>,
    rating: u8,
    title: String,
    body: String,
    #[serde(default)]
    verified_purchase: bool,
    version: u64,
    created_at: String,
    updated_at: String,
}

#[derive(Debug, Serialize)]
struct Reviews {
    items: Vec<Review>,
}

#[derive(Debug, Serialize)]
struct Page {
    #[serde(flatten)]
    product: Product,
    stock: i64,
    rating: Rating,
    reviews: Reviews,
}

#[tokio::main]
async fn main() -> Result<(), Error> {
    tracing::init_default_subscriber();
    let config = aws_config::load_defaults(BehaviorVersion::latest()).await;
    let client = Client::new(&config);
    let table = std::env::var("TABLE_NAME")?;
    run(service_fn(|request| get_product(&client, &table, request))).await
}

async fn get_product(client: &Client, table: &str, request: Request) -> Result<Response<Body>, Error> {
    let parameters = request.path_parameters();
    let Some(id) = parameters.first("productId") else {
        return respond(400, json!({"message": "productId is missing"}).to_string());
    };
    match read_page(client, table, id).await? {
        Some(page) => respond(200, serde_json::to_string(&page)?),
        None => respond(404, json!({"message": "not found"}).to_string()),
    }
}

async fn read_page(client: &Client, table: &str, id: &str) -> Result<Option<Page>, Error> {
    let found = client
        .query()
        .table_name(table)
        .index_name("gsi1")
        .key_condition_expression("#pk = :pk")
        .expression_attribute_names("#pk", "gsi1pk")
        .expression_attribute_values(":pk", AttributeValue::S(format!("PRODUCT#{id}")))
        .scan_index_forward(false)
        .limit(ITEMS_OF_PAGE)
        .return_consumed_capacity(ReturnConsumedCapacity::Total)
        .send()
        .await?;
    let (mut product, mut stock, mut rating, mut reviews) = (None, None, Stars::default(), Vec::new());
    for item in found.items.unwrap_or_default() {
        match item.get("sk").and_then(|sk| sk.as_s().ok()).map(String::as_str) {
            Some("PRODUCT") => product = Some(from_item::<Product>(item)?),
            Some("PRODUCT#STOCK") => stock = Some(from_item::<Stock>(item)?),
            Some("RATING") => rating = from_item(item)?,
            _ => reviews.push(from_item::<Review>(item)?),
        }
    }
    reviews.truncate(REVIEWS_ON_PAGE);
    let page = product.zip(stock).map(|(product, Stock { stock })| Page {
        product,
        stock,
        rating: rating.into(),
        reviews: Reviews { items: reviews },
    });
    Ok(page)
}

fn respond(status: u16, body: String) -> Result<Response<Body>, Error> {
    let response = Response::builder().status(status).header("content-type", "application/json");
    Ok(response.body(Body::from(body))?)
}
