//! A table for a single test.

use crate::{
    database::Database,
    samples,
    template::Template,
    units::{self, Measured},
    wire::Wire,
};
use aws_credential_types::{Credentials, provider::SharedCredentialsProvider};
use aws_smithy_async::{rt::sleep::TokioSleep, time::SystemTimeSource};
use aws_smithy_runtime_api::client::{behavior_version::BehaviorVersion, http::SharedHttpClient};
use aws_smithy_types::retry::RetryConfig;
use aws_types::{SdkConfig, region::Region};
use domain::{
    id::ProductId,
    product::{Product, ReviewPosition},
    review::Review,
};
use dynoxide::Item;
use serde_json::{Map, Value, json};
use std::{
    sync::{
        LazyLock,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};
use table::{Table, keys};

/// The table's name. The engine requires at least eleven characters.
pub const TABLE_NAME: &str = "souk-of-a-test";

static TEMPLATE: LazyLock<Template> = LazyLock::new(Template::ours);
static WORLDS: AtomicU32 = AtomicU32::new(0);

/// An empty table as declared in the template, used through the real client.
pub struct World {
    /// The table under test.
    pub table: Table,
    /// The network between client and table.
    pub wire: Wire,
}

impl World {
    /// Creates a table that no other test uses.
    #[expect(clippy::new_without_default, reason = "a test says when it begins")]
    pub fn new() -> Self {
        let wire = Wire::to(Database::with_table(TEMPLATE.table(TABLE_NAME)));
        Self { table: client(&wire), wire }
    }

    /// The same table with another client, as in another process: each client has its own retry quota.
    pub fn another_client(&self) -> Table {
        client(&self.wire)
    }

    /// The consumed units and sent requests since the last call.
    pub fn measured(&self) -> Measured {
        let mut units = self.table.take_units();
        #[expect(clippy::cast_precision_loss, reason = "a few thousand at most")]
        let refused = self.wire.take_refused_units() as f64;
        units.write += refused;
        Measured::new(units, &self.wire.take_sent())
    }

    /// Runs an operation and compares its units and requests with its row in docs/units.md.
    pub async fn measure<T>(&self, operation: &str, case: &str, work: impl Future<Output = T>) -> T {
        self.measured();
        let result = work.await;
        units::assert_documented(operation, case, &self.measured());
        result
    }

    /// The item with this key in DynamoDB's JSON format; null if there is none.
    pub fn item(&self, key: &keys::Key) -> Value {
        let key = json!({"pk": {"S": key.pk}, "sk": {"S": key.sk}});
        let answer = self
            .wire
            .directly("GetItem", json!({"TableName": TABLE_NAME, "Key": key, "ConsistentRead": true}));
        answer["Item"].clone()
    }

    /// Every item of the table.
    pub fn items(&self) -> Vec<Value> {
        let (mut items, mut start) = (Vec::new(), Value::Null);
        loop {
            let mut request = json!({"TableName": TABLE_NAME});
            if !start.is_null() {
                request["ExclusiveStartKey"] = start;
            }
            let mut answer = self.wire.directly("Scan", request);
            items.extend(answer["Items"].as_array_mut().map(std::mem::take).unwrap_or_default());
            start = answer["LastEvaluatedKey"].take();
            if start.is_null() {
                return items;
            }
        }
    }

    /// Puts an item with this key and these attributes, which are in DynamoDB's JSON format.
    pub fn put(&self, key: &keys::Key, attributes: &Value) {
        let mut item = json!({"pk": {"S": key.pk}, "sk": {"S": key.sk}});
        item.as_object_mut()
            .expect("an item is an object")
            .extend(attributes.as_object().cloned().unwrap_or_else(Map::new));
        self.wire.directly("PutItem", json!({"TableName": TABLE_NAME, "Item": item}));
    }

    /// Deletes an item directly.
    pub fn delete(&self, key: &keys::Key) {
        let key = json!({"pk": {"S": key.pk}, "sk": {"S": key.sk}});
        self.wire.directly("DeleteItem", json!({"TableName": TABLE_NAME, "Key": key}));
    }

    /// Loads complete items without requests, which is much faster.
    pub fn import(&self, items: Vec<Item>) {
        self.wire.import(TABLE_NAME, items);
    }

    /// Puts a sample review of a product with its index attributes, without the code under test.
    pub fn put_review(&self, product: ProductId, number: u32) -> Review {
        let review = samples::review(product, number);
        let position = ReviewPosition { created_at: review.created_at, author_id: review.author_id };
        let mut attributes = samples::review_attributes(&review);
        let on_page = keys::review_on_page(product, &position);
        attributes["gsi1pk"] = json!({"S": on_page.pk});
        attributes["gsi1sk"] = json!({"S": on_page.sk});
        self.put(&keys::review(product, review.author_id), &attributes);
        review
    }

    /// Stores this histogram as a product's rating, as the stream's consumer does.
    pub fn put_rating(&self, product: ProductId, histogram: [u64; 5]) {
        let on_page = keys::rating_on_page(product);
        let mut attributes = json!({"gsi1pk": {"S": on_page.pk}, "gsi1sk": {"S": on_page.sk}});
        for (stars, count) in (1..).zip(histogram) {
            attributes[format!("stars{stars}")] = json!({"N": count.to_string()});
        }
        self.put(&keys::rating(product), &attributes);
    }

    /// Publishes a product with the stock of a sample product; [`World::measured`] does not include its cost.
    pub async fn publish(&self, product: &Product) {
        self.publish_with(product, samples::STOCK).await;
    }

    /// Publishes a product with this stock; [`World::measured`] does not include its cost.
    pub async fn publish_with(&self, product: &Product, stock: i64) {
        let stock = samples::stock(stock);
        self.table.create_product(product, stock, None).await.expect("the product is published");
        self.measured();
    }
}

fn client(wire: &Wire) -> Table {
    Table::new(&config(SharedHttpClient::new(wire.clone()), "https://dynamodb.test.example"), TABLE_NAME)
}

/// The client configuration of functions (shared/app/src/aws.rs), with another network and a backoff of 1 ms.
pub fn config(http_client: SharedHttpClient, endpoint: &str) -> SdkConfig {
    // The retry quota is shared by all clients of a region in a process, so each world has its own region.
    let world = WORLDS.fetch_add(1, Ordering::Relaxed);
    SdkConfig::builder()
        .behavior_version(BehaviorVersion::v2026_01_12())
        .region(Region::new(format!("test-{world}")))
        .credentials_provider(SharedCredentialsProvider::new(Credentials::new(
            "key", "secret", None, None, "test",
        )))
        .http_client(http_client)
        .sleep_impl(TokioSleep::new())
        .time_source(SystemTimeSource::new())
        .retry_config(
            RetryConfig::standard().with_max_attempts(3).with_initial_backoff(Duration::from_millis(1)),
        )
        .endpoint_url(endpoint)
        .build()
}
