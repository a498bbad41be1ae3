//! Recorded requests, rebuilt with the SDK so that it can send them again.

use crate::event_floor::{Insert, Publication, Upload};
use aws_sdk_dynamodb::{
    primitives::Blob,
    types::{
        AttributeValue, Delete, KeysAndAttributes, Put, ReturnConsumedCapacity,
        ReturnValuesOnConditionCheckFailure, TransactWriteItem, Update,
    },
};
use aws_smithy_http_client::Connector;
use aws_smithy_runtime_api::client::http::{SharedHttpConnector, http_client_fn};
use aws_smithy_types::timeout::TimeoutConfig;
use aws_types::SdkConfig;
use kafka::{Producer, Security};
use redis::aio::ConnectionManager;
use serde_json::{Map, Value};
use std::{collections::HashMap, sync::OnceLock, time::Duration};
use tokio::sync::OnceCell;

type Members = Map<String, Value>;
type Item = HashMap<String, AttributeValue>;

/// A request that is ready to be sent.
pub enum Request {
    GetItem(Members),
    PutItem(Members, Item),
    /// A `PutItem` of a batch of visitors' events, after the work that storing it takes.
    StoreUpload(Upload, Box<Self>),
    /// Batches of records to Kafka.
    Publish(Publication),
    /// Rows to ClickHouse.
    Insert(Insert),
    UpdateItem(Members, Item),
    Query(Members, Item),
    BatchGetItem(Members),
    TransactWriteItems(Vec<TransactWriteItem>),
    /// A request to Step Functions.
    StartExecution(Members),
    /// A request to the cache: the page under this key.
    CachedPage(String),
}

/// The clients of a function, each created at its first use.
pub struct Client {
    url: String,
    config: OnceLock<SdkConfig>,
    dynamodb: OnceLock<aws_sdk_dynamodb::Client>,
    machines: OnceLock<aws_sdk_sfn::Client>,
    broker: String,
    producer: OnceCell<Producer>,
    events: OnceLock<clickhouse::Client>,
    cache: Option<String>,
    connection: OnceLock<ConnectionManager>,
}

impl Request {
    /// Parses a recorded request. Parsing is not part of the measured time; sending is.
    pub fn read(name: &str, body: Value) -> Self {
        let Value::Object(mut members) = body else { panic!("a request has members") };
        let mut values = || item(members.remove("ExpressionAttributeValues"));
        match name {
            "GetItem" => Self::GetItem(members),
            "Query" => {
                let values = values();
                Self::Query(members, values)
            }
            "PutItem" => {
                let values = values();
                Self::PutItem(members, values)
            }
            "UpdateItem" => {
                let values = values();
                Self::UpdateItem(members, values)
            }
            "StoreUpload" => {
                let put = members.remove("Put").unwrap_or_default();
                let upload = Upload::read(&members["Body"], &put);
                Self::StoreUpload(upload, Box::new(Self::read("PutItem", put)))
            }
            "Publish" => Self::Publish(Publication::read(&Value::Object(members))),
            "Insert" => {
                Self::Insert(Insert::read(&members["Event"], &members["Statement"], &members["Rows"]))
            }
            "BatchGetItem" => Self::BatchGetItem(members),
            "TransactWriteItems" => {
                let items = members.remove("TransactItems").unwrap_or_default();
                Self::TransactWriteItems(items.as_array().into_iter().flatten().map(transact).collect())
            }
            "StartExecution" => Self::StartExecution(members),
            "CachedPage" => Self::CachedPage(text(&members, "Key").unwrap_or_default()),
            _ => panic!("the benchmark sends no {name}"),
        }
    }
}

impl Client {
    /// Clients for the services at this URL, this broker and this cache.
    pub fn new(url: &str, broker: &str, cache: Option<&str>) -> Self {
        let (config, dynamodb, machines, producer, events, connection) = Default::default();
        let (url, broker, cache) = (url.to_owned(), broker.to_owned(), cache.map(str::to_owned));
        Self { url, config, dynamodb, machines, broker, producer, events, cache, connection }
    }

    /// The configuration of the AWS clients, as in shared/app/src/aws.rs.
    fn config(&self) -> &SdkConfig {
        self.config.get_or_init(|| {
            let connector: OnceLock<SharedHttpConnector> = OnceLock::new();
            let http_client = http_client_fn(move |settings, _| {
                let make = || {
                    let sleep = aws_smithy_async::rt::sleep::TokioSleep::new();
                    let builder = Connector::builder().connector_settings(settings.clone()).sleep_impl(sleep);
                    SharedHttpConnector::new(builder.pool_idle_timeout(Duration::from_mins(1)).build_http())
                };
                connector.get_or_init(make).clone()
            });
            let timeouts = TimeoutConfig::builder()
                .connect_timeout(Duration::from_secs(1))
                .operation_attempt_timeout(Duration::from_secs(3))
                .operation_timeout(Duration::from_secs(8))
                .build();
            tests::config(http_client, &self.url).into_builder().timeout_config(timeouts).build()
        })
    }

    fn dynamodb(&self) -> &aws_sdk_dynamodb::Client {
        self.dynamodb.get_or_init(|| aws_sdk_dynamodb::Client::new(self.config()))
    }

    /// The producer of shared/kafka, which the function has too.
    async fn producer(&self) -> &Producer {
        let brokers = std::slice::from_ref(&self.broker);
        let connect = async || Producer::connect(brokers, &Security::Plain, "souk.events").await;
        self.producer.get_or_init(async || connect().await.expect("a connection to the broker")).await
    }

    fn events(&self) -> &clickhouse::Client {
        self.events.get_or_init(|| clickhouse::Client::default().with_url(&self.url).with_database("souk"))
    }

    /// Sends a request and parses the answer, as a function does through the SDK.
    pub async fn send(&self, request: Request) {
        let total = ReturnConsumedCapacity::Total;
        let failed = match request {
            Request::GetItem(mut m) => {
                let get = self.dynamodb().get_item().set_table_name(text(&m, "TableName"));
                let get = get.set_key(Some(item(m.remove("Key")))).return_consumed_capacity(total);
                let sent = get.set_consistent_read(flag(&m, "ConsistentRead")).send().await;
                sent.err().map(|error| format!("{error:?}"))
            }
            Request::Query(mut m, values) => {
                let query = self.dynamodb().query().set_table_name(text(&m, "TableName"));
                let query = query
                    .set_index_name(text(&m, "IndexName"))
                    .set_key_condition_expression(text(&m, "KeyConditionExpression"))
                    .set_filter_expression(text(&m, "FilterExpression"))
                    .set_projection_expression(text(&m, "ProjectionExpression"))
                    .set_expression_attribute_names(names(&mut m))
                    .set_expression_attribute_values(Some(values))
                    .set_scan_index_forward(flag(&m, "ScanIndexForward"))
                    .set_consistent_read(flag(&m, "ConsistentRead"))
                    .set_limit(m.get("Limit").and_then(Value::as_i64).and_then(|limit| limit.try_into().ok()))
                    .return_consumed_capacity(total);
                query.send().await.err().map(|error| format!("{error:?}"))
            }
            Request::PutItem(m, values) => self.put(m, values).await,
            Request::StoreUpload(upload, put) => {
                upload.prepare();
                let Request::PutItem(m, values) = *put else { panic!("an upload is put") };
                self.put(m, values).await
            }
            Request::Publish(publication) => publication.send(self.producer().await).await.err(),
            Request::Insert(insert) => insert.send(self.events()).await.err().map(|error| error.to_string()),
            Request::UpdateItem(mut m, values) => {
                let update = self.dynamodb().update_item().set_table_name(text(&m, "TableName"));
                let update = update
                    .set_key(Some(item(m.remove("Key"))))
                    .set_update_expression(text(&m, "UpdateExpression"))
                    .set_condition_expression(text(&m, "ConditionExpression"))
                    .set_expression_attribute_names(names(&mut m))
                    .set_expression_attribute_values(Some(values))
                    .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld)
                    .return_consumed_capacity(total);
                update.send().await.err().map(|error| format!("{error:?}"))
            }
            Request::BatchGetItem(mut m) => {
                let tables = m.remove("RequestItems").unwrap_or_default();
                let tables = tables.as_object().into_iter().flatten();
                let tables = tables.map(|(name, asked)| (name.clone(), keys(asked))).collect();
                let get = self.dynamodb().batch_get_item().set_request_items(Some(tables));
                let sent = get.return_consumed_capacity(total).send().await;
                sent.err().map(|error| format!("{error:?}"))
            }
            Request::TransactWriteItems(items) => {
                let write = self.dynamodb().transact_write_items().set_transact_items(Some(items));
                let sent = write.return_consumed_capacity(total).send().await;
                sent.err().map(|error| format!("{error:?}"))
            }
            Request::StartExecution(m) => {
                let machines = self.machines.get_or_init(|| aws_sdk_sfn::Client::new(self.config()));
                let start = machines.start_execution().set_state_machine_arn(text(&m, "stateMachineArn"));
                let start = start.set_name(text(&m, "name")).set_input(text(&m, "input"));
                start.send().await.err().map(|error| format!("{error:?}"))
            }
            Request::CachedPage(key) => {
                let mut connection = self.cache();
                let page: redis::RedisResult<Option<String>> =
                    redis::cmd("HGET").arg(key).arg("page").query_async(&mut connection).await;
                page.err().map(|error| error.to_string())
            }
        };
        if let Some(error) = failed {
            panic!("a request that worked for the function: {error}");
        }
    }

    /// Sends a `PutItem`. Returns the error, if there is one.
    async fn put(&self, mut m: Members, values: Item) -> Option<String> {
        let put = self.dynamodb().put_item().set_table_name(text(&m, "TableName"));
        let put = put
            .set_item(Some(item(m.remove("Item"))))
            .set_condition_expression(text(&m, "ConditionExpression"))
            .set_expression_attribute_names(names(&mut m))
            .set_expression_attribute_values((!values.is_empty()).then_some(values))
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld)
            .return_consumed_capacity(ReturnConsumedCapacity::Total);
        put.send().await.err().map(|error| format!("{error:?}"))
    }

    fn cache(&self) -> ConnectionManager {
        let connect = || {
            let client = redis::Client::open(self.cache.clone().unwrap_or_default()).expect("an address");
            ConnectionManager::new_lazy_with_config(client, redis::aio::ConnectionManagerConfig::new())
                .expect("a connection that is opened later")
        };
        self.connection.get_or_init(connect).clone()
    }
}

fn text(members: &Members, name: &str) -> Option<String> {
    members.get(name)?.as_str().map(str::to_owned)
}

fn flag(members: &Members, name: &str) -> Option<bool> {
    members.get(name)?.as_bool()
}

fn names(members: &mut Members) -> Option<HashMap<String, String>> {
    serde_json::from_value(members.remove("ExpressionAttributeNames")?).ok()
}

fn item(value: Option<Value>) -> Item {
    let Some(Value::Object(members)) = value else { return Item::new() };
    members.into_iter().map(|(name, value)| (name, attribute(value))).collect()
}

fn attribute(value: Value) -> AttributeValue {
    let Value::Object(members) = value else { panic!("{value} is no attribute") };
    let (kind, value) = members.into_iter().next().expect("an attribute has a kind");
    match (kind.as_str(), value) {
        ("S", Value::String(text)) => AttributeValue::S(text),
        ("N", Value::String(number)) => AttributeValue::N(number),
        ("BOOL", Value::Bool(flag)) => AttributeValue::Bool(flag),
        ("NULL", _) => AttributeValue::Null(true),
        ("B", value) => AttributeValue::B(blob(&value)),
        ("BS", Value::Array(values)) => AttributeValue::Bs(values.iter().map(blob).collect()),
        ("SS", values) => AttributeValue::Ss(serde_json::from_value(values).expect("texts")),
        ("L", Value::Array(values)) => AttributeValue::L(values.into_iter().map(attribute).collect()),
        ("M", members) => AttributeValue::M(item(Some(members))),
        (kind, value) => panic!("{value} is no attribute of the kind {kind}"),
    }
}

fn blob(value: &Value) -> Blob {
    let text = value.as_str().expect("a text");
    Blob::new(aws_smithy_types::base64::decode(text).expect("base64"))
}

fn keys(asked: &Value) -> KeysAndAttributes {
    let keys = asked["Keys"].as_array().into_iter().flatten().map(|key| item(Some(key.clone()))).collect();
    let keys = KeysAndAttributes::builder().set_keys(Some(keys));
    keys.set_consistent_read(asked["ConsistentRead"].as_bool()).build().expect("there are keys")
}

fn transact(write: &Value) -> TransactWriteItem {
    let (kind, members) = write.as_object().and_then(|write| write.iter().next()).expect("a write");
    let mut m = members.as_object().expect("a write has members").clone();
    let values = m.remove("ExpressionAttributeValues").map(|values| item(Some(values)));
    let all_old = ReturnValuesOnConditionCheckFailure::AllOld;
    let (table, condition) = (text(&m, "TableName"), text(&m, "ConditionExpression"));
    let names = names(&mut m);
    match kind.as_str() {
        "Put" => {
            let put = Put::builder().set_table_name(table).set_item(Some(item(m.remove("Item"))));
            let put = put.set_condition_expression(condition).set_expression_attribute_names(names);
            let put = put.set_expression_attribute_values(values);
            let put = put.return_values_on_condition_check_failure(all_old).build();
            TransactWriteItem::builder().put(put.expect("a whole write")).build()
        }
        "Update" => {
            let update = Update::builder().set_table_name(table).set_key(Some(item(m.remove("Key"))));
            let update = update.set_condition_expression(condition).set_expression_attribute_names(names);
            let update = update.set_expression_attribute_values(values);
            let update = update.set_update_expression(text(&m, "UpdateExpression"));
            let update = update.return_values_on_condition_check_failure(all_old).build();
            TransactWriteItem::builder().update(update.expect("a whole write")).build()
        }
        "Delete" => {
            let delete = Delete::builder().set_table_name(table).set_key(Some(item(m.remove("Key"))));
            let delete = delete.set_condition_expression(condition).set_expression_attribute_names(names);
            let delete = delete.set_expression_attribute_values(values).build();
            TransactWriteItem::builder().delete(delete.expect("a whole write")).build()
        }
        _ => panic!("the benchmark sends no {kind} in a transaction"),
    }
}
