//! Amazon's DynamoDB Local as the database of the tests: `tests/conformance` starts one.

use crate::database::Answer;
use serde_json::{Value, json};
use std::{
    env, mem,
    sync::{
        LazyLock, Mutex, PoisonError,
        atomic::{AtomicU32, Ordering},
    },
};
use ureq::Agent;

/// Its address, such as `http://127.0.0.1:8000`. Tests without it use the engine in their process.
const ADDRESS: &str = "SOUK_DYNAMODB_LOCAL";
/// The most items that a request may put.
const BATCH: usize = 25;

static AGENT: LazyLock<Agent> =
    LazyLock::new(|| Agent::config_builder().http_status_as_error(false).build().into());
/// Accounts whose tests have ended.
static IDLE: Mutex<Vec<u32>> = Mutex::new(Vec::new());
static ACCOUNTS: AtomicU32 = AtomicU32::new(0);

/// Where the DynamoDB Local of the tests is, if there is one.
pub fn address() -> Option<String> {
    env::var(ADDRESS).ok()
}

/// An account of its own in a DynamoDB Local, which keeps the tables of each account apart. To open an account takes it 50 ms
/// and six threads, so those of tests that have ended are used again.
pub struct LocalAccount {
    address: String,
    number: u32,
    tables: Mutex<Vec<Value>>,
}

impl LocalAccount {
    /// An account without tables, if the environment names a DynamoDB Local.
    pub fn open() -> Option<Self> {
        let address = address()?;
        let idle = IDLE.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let number = idle.unwrap_or_else(|| ACCOUNTS.fetch_add(1, Ordering::Relaxed));
        Some(Self { address, number, tables: Mutex::default() })
    }

    /// Executes one request.
    pub fn carry_out(&self, operation: &str, body: &Value) -> Answer {
        if operation == "CreateTable" {
            self.tables.lock().unwrap_or_else(PoisonError::into_inner).push(body["TableName"].clone());
        }
        // It looks at the access key alone, and at no signature.
        let scope = format!("Credential=souk{}/20260101/us-east-1/dynamodb/aws4_request", self.number);
        let mut response = AGENT
            .post(&self.address)
            .header("x-amz-target", format!("DynamoDB_20120810.{operation}"))
            .header("content-type", "application/x-amz-json-1.0")
            .header("authorization", format!("AWS4-HMAC-SHA256 {scope}, SignedHeaders=host, Signature=0"))
            .send(body.to_string())
            .expect("DynamoDB Local answers");
        let status = response.status().as_u16();
        let text = response.body_mut().read_to_string().expect("DynamoDB Local answers with text");
        Answer { status, body: serde_json::from_str(&text).expect("DynamoDB Local answers with JSON") }
    }

    /// Puts items into a table.
    pub fn import(&self, table: &str, items: &[Value]) {
        for batch in items.chunks(BATCH) {
            let puts: Vec<Value> = batch.iter().map(|item| json!({"PutRequest": {"Item": item}})).collect();
            let answer = self.carry_out("BatchWriteItem", &json!({"RequestItems": {table: puts}}));
            let all = answer.status == 200 && answer.body["UnprocessedItems"] == json!({});
            assert!(all, "BatchWriteItem: {}", answer.body);
        }
    }
}

impl Drop for LocalAccount {
    fn drop(&mut self) {
        let tables = mem::take(&mut *self.tables.lock().unwrap_or_else(PoisonError::into_inner));
        for table in tables {
            self.carry_out("DeleteTable", &json!({"TableName": table}));
        }
        IDLE.lock().unwrap_or_else(PoisonError::into_inner).push(self.number);
    }
}
