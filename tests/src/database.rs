//! A DynamoDB for a single test: an engine in memory, or an account of a DynamoDB Local.

use crate::local::LocalAccount;
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

/// A database, called like DynamoDB: with the name of an operation and a JSON body.
pub struct Database(Kind);

enum Kind {
    InProcess(Engine),
    Local(LocalAccount),
}

impl Database {
    /// A database with this one table.
    pub fn with_table(definition: Value) -> Self {
        let in_process = || Kind::InProcess(Engine::memory().expect("the engine opens"));
        let database = Self(LocalAccount::open().map_or_else(in_process, Kind::Local));
        let created = database.carry_out("CreateTable", definition);
        assert_eq!(created.status, 200, "CreateTable: {}", created.body);
        database
    }

    /// Loads items into a table without requests, which is much faster.
    pub fn import(&self, table: &str, items: Vec<Item>) {
        match &self.0 {
            Kind::InProcess(engine) => {
                engine
                    .import_items(table, items, ImportOptions::default())
                    .expect("the engine takes the items");
            }
            Kind::Local(account) => {
                let items = items.iter().map(|item| serde_json::to_value(item).expect("an item is JSON"));
                account.import(table, &items.collect::<Vec<_>>());
            }
        }
    }

    /// Executes one request.
    pub fn carry_out(&self, operation: &str, body: Value) -> Answer {
        let engine = match &self.0 {
            Kind::InProcess(engine) => engine,
            Kind::Local(account) => return account.carry_out(operation, &body),
        };
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
