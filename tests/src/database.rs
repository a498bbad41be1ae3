//! An in-memory DynamoDB for a single test.

use dynoxide::{Database as Engine, DynoxideError, ImportOptions, Item};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::{Value, json};

/// A response of DynamoDB: an HTTP status and JSON.
pub struct Answer {
    /// The HTTP status.
    pub status: u16,
    /// The result or the error.
    pub body: Value,
}

impl Answer {
    /// An error with this name.
    pub fn refusal(status: u16, error: &str) -> Self {
        Self { status, body: json!({"__type": error, "message": "a test's fault"}) }
    }

    /// A cancelled transaction with these reason codes, one for each write.
    pub fn cancelled(codes: &[&str]) -> Self {
        let reasons: Vec<Value> = codes.iter().map(|code| json!({"Code": code})).collect();
        let error = "com.amazonaws.dynamodb.v20120810#TransactionCanceledException";
        let message = "Transaction cancelled";
        let body = json!({"__type": error, "Message": message, "CancellationReasons": reasons});
        Self { status: 400, body }
    }
}

/// The engine, called like DynamoDB: with the name of an operation and a JSON body.
pub struct Database(Engine);

impl Database {
    /// A database with this one table.
    pub fn with_table(definition: Value) -> Self {
        let database = Self(Engine::memory().expect("the engine opens"));
        let created = database.carry_out("CreateTable", definition);
        assert_eq!(created.status, 200, "CreateTable: {}", created.body);
        database
    }

    /// Loads items into a table without requests, which is much faster.
    pub fn import(&self, table: &str, items: Vec<Item>) {
        self.0.import_items(table, items, ImportOptions::default()).expect("the engine takes the items");
    }

    /// Executes one request.
    pub fn carry_out(&self, operation: &str, body: Value) -> Answer {
        let engine = &self.0;
        match operation {
            "CreateTable" => run(body, |request| engine.create_table(request)),
            "GetItem" => run(body, |request| engine.get_item(request)),
            "PutItem" => run(body, |request| engine.put_item(request)),
            "UpdateItem" => run(body, |request| engine.update_item(request)),
            "DeleteItem" => run(body, |request| engine.delete_item(request)),
            "Query" => run(body, |request| engine.query(request)),
            "Scan" => run(body, |request| engine.scan(request)),
            "BatchGetItem" => run(body, |request| engine.batch_get_item(request)),
            "BatchWriteItem" => run(body, |request| engine.batch_write_item(request)),
            "TransactWriteItems" => run(body, |request| engine.transact_write_items(request)),
            "TransactGetItems" => run(body, |request| engine.transact_get_items(request)),
            _ => panic!("the tests' DynamoDB has no operation {operation}"),
        }
    }
}

fn run<Q: DeserializeOwned, A: Serialize>(
    body: Value,
    carry_out: impl FnOnce(Q) -> Result<A, DynoxideError>,
) -> Answer {
    let request = serde_json::from_value(body).expect("the engine reads the client's request");
    match carry_out(request) {
        Ok(answer) => Answer { status: 200, body: serde_json::to_value(answer).expect("an answer is JSON") },
        Err(error) => Answer {
            status: error.status_code(),
            body: serde_json::from_str(&error.to_json()).expect("an error is JSON"),
        },
    }
}
