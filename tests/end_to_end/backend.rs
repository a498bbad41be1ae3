//! Access to the services behind the system under test: the AWS API, the payment provider, and their fault rules.

use crate::souk::{Souk, User};
use analytics::{Account, EventStore};
use serde_json::{Value, json};
use std::{
    iter,
    sync::{PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard},
};
use table::keys::Key;
use ureq::http;

/// Shared by tests that insert into the instance's ClickHouse, and locked by those that make inserts fail.
static INSERTS: RwLock<()> = RwLock::new(());

/// Inserts of a test, which no other test makes fail.
pub struct Inserting {
    _shared: RwLockReadGuard<'static, ()>,
}

/// Waits until no test makes inserts into ClickHouse fail.
pub fn inserting() -> Inserting {
    Inserting { _shared: INSERTS.read().unwrap_or_else(PoisonError::into_inner) }
}

/// An instance whose ClickHouse inserts nothing.
pub struct FailingInserts<'souk> {
    souk: &'souk Souk,
    _alone: RwLockWriteGuard<'static, ()>,
}

impl Drop for FailingInserts<'_> {
    fn drop(&mut self) {
        self.souk.control(&self.souk.clickhouse_url, "faults", &json!([]));
    }
}

impl Souk {
    /// Calls the instance's AWS API, to inspect or change state that Souk's own API does not show.
    pub fn aws(&self, service: &str, target: &str, input: &Value) -> Value {
        let json = if service == "sqs" || service == "states" { "1.0" } else { "1.1" };
        let headers =
            [("content-type", format!("application/x-amz-json-{json}")), ("x-amz-target", target.to_owned())];
        self.call_aws(service, "/", &headers, input)
    }

    /// Invokes a function by its crate's name, as an operator would.
    pub fn invoke(&self, function: &str, input: &Value) -> Value {
        self.call_aws("lambda", &format!("/2015-03-31/functions/souk-{function}/invocations"), &[], input)
    }

    fn call_aws(&self, service: &str, path: &str, headers: &[(&str, String)], input: &Value) -> Value {
        let authorization = format!(
            "AWS4-HMAC-SHA256 Credential=test/20260101/us-east-1/{service}/aws4_request, SignedHeaders=host, Signature=0"
        );
        let mut request = http::Request::post(format!("{}{path}", self.endpoint_url))
            .header("authorization", authorization);
        for (name, value) in headers {
            request = request.header(*name, value);
        }
        let mut response = self.agent.run(request.body(input.to_string()).unwrap()).unwrap();
        let text = response.body_mut().read_to_string().unwrap();
        assert_eq!(response.status(), 200, "{path} {headers:?}: {text}");
        serde_json::from_str(&text).unwrap()
    }

    /// Changes an item of the instance's shop, or creates it. Returns the item.
    pub fn shop_item(&self, sku: &str, members: &Value) -> Value {
        self.call_shop("PUT", &format!("items/{sku}"), members)
    }

    /// A call for tests to the instance's shop.
    pub fn call_shop(&self, method: &str, path: &str, input: &Value) -> Value {
        let request = http::Request::builder().method(method).uri(format!("{}/_souk/{path}", self.shop_url));
        let mut response = self.agent.run(request.body(input.to_string()).unwrap()).unwrap();
        let text = response.body_mut().read_to_string().unwrap();
        assert_eq!(response.status(), 200, "{method} {path}: {text}");
        serde_json::from_str(&text).unwrap()
    }

    /// Fails inserts into the instance's ClickHouse until the result is dropped. Lambda repeats those of event-sink; tests that
    /// insert themselves wait (`inserting`).
    pub fn fail_inserts(&self) -> FailingInserts<'_> {
        let alone = INSERTS.write().unwrap_or_else(PoisonError::into_inner);
        self.control(&self.clickhouse_url, "faults", &json!([{"path": "INSERT INTO", "status": 503}]));
        FailingInserts { souk: self, _alone: alone }
    }

    /// How many statements of the instance's ClickHouse have failed by its fault rules.
    pub fn failed_statements(&self) -> u64 {
        self.rules(&self.clickhouse_url).iter().filter_map(|rule| rule["fired"].as_u64()).sum()
    }

    /// Messages of the queue of what a function gave up: all of an instance that has run for long, of which a request returns ten. They
    /// stay in the queue, and are not returned again for two seconds.
    pub fn letters(&self, function: &str) -> Vec<Value> {
        let name = json!({"QueueName": format!("souk-{function}-failed")});
        let url = self.aws("sqs", "AmazonSQS.GetQueueUrl", &name);
        let receive = json!({"QueueUrl": url["QueueUrl"], "VisibilityTimeout": 2, "MaxNumberOfMessages": 10});
        let page = || {
            let received = self.aws("sqs", "AmazonSQS.ReceiveMessage", &receive);
            received["Messages"].as_array().cloned().filter(|messages| !messages.is_empty())
        };
        let body = |message: Value| serde_json::from_str(message["Body"].as_str().unwrap()).unwrap();
        iter::from_fn(page).flatten().map(body).collect()
    }

    /// The instance's ClickHouse, as whom Souk uses it.
    pub fn clickhouse(&self) -> EventStore {
        let account = Account {
            url: &self.clickhouse_url,
            database: "souk",
            user: "souk",
            password: "clickhouse-local",
        };
        EventStore::new(&account)
    }

    /// The number of events in the instance's ClickHouse that fulfil a condition.
    pub fn count_events(&self, condition: &str) -> u64 {
        let url = format!("{}/?database=souk", self.clickhouse_url);
        let headers = [("X-ClickHouse-User", "souk"), ("X-ClickHouse-Key", "clickhouse-local")];
        let query = format!("SELECT count() FROM events FINAL WHERE {condition} FORMAT TSV");
        let request = headers
            .iter()
            .fold(self.agent.post(&url), |request, (name, value)| request.header(*name, *value));
        let text = request.send(&query).unwrap().body_mut().read_to_string().unwrap();
        text.trim().parse().unwrap()
    }

    /// The number of items with this partition key.
    pub fn items_in(&self, partition: &str) -> usize {
        let query = json!({
            "TableName": self.output("TableName"), "ConsistentRead": true, "Select": "COUNT",
            "KeyConditionExpression": "pk = :pk", "ExpressionAttributeValues": {":pk": {"S": partition}},
        });
        let count = self.aws("dynamodb", "DynamoDB_20120810.Query", &query)["Count"].as_u64().unwrap();
        usize::try_from(count).unwrap()
    }

    /// An item of the table; null if there is none.
    pub fn item(&self, key: &Key) -> Value {
        let key = json!({"pk": {"S": key.pk}, "sk": {"S": key.sk}});
        let get = json!({"TableName": self.output("TableName"), "Key": key, "ConsistentRead": true});
        self.aws("dynamodb", "DynamoDB_20120810.GetItem", &get)["Item"].clone()
    }

    /// The id in the record of a user's idempotency key; `None` until the request is recorded.
    pub fn recorded_id(&self, user: &User, operation: &str, key: &str) -> Option<String> {
        let record = self.item(&table::keys::idempotency(user.id.parse().unwrap(), operation, key));
        record["id"]["S"].as_str().map(str::to_owned)
    }

    /// The recorded request for a concert that a user sent with this idempotency key; `None` until it is recorded.
    pub fn request_of(&self, user: &User, key: &str) -> Option<Value> {
        let concert = self.recorded_id(user, "concert-create", key)?;
        let request = self.item(&table::keys::concert_request(concert.parse().unwrap()));
        serde_json::from_str(request["input"]["S"].as_str()?).ok()
    }

    /// The states that the executions of a name entered, in order; `machine` is the stack output that contains the ARN of
    /// their state machine. AWS keeps no history of EXPRESS executions; the emulator does for tests.
    pub fn entered(&self, machine: &str, name: &str) -> Vec<String> {
        let url = format!("{}/_souk/executions/{name}", self.endpoint_url);
        let text = self.agent.get(&url).call().unwrap().body_mut().read_to_string().unwrap();
        let executions: Vec<Value> = serde_json::from_str(&text).unwrap();
        let of_machine =
            |execution: &&Value| self.output(machine).ends_with(execution["machine"].as_str().unwrap());
        let events = executions
            .iter()
            .filter(of_machine)
            .flat_map(|execution| execution["events"].as_array().unwrap());
        let entered = events.filter_map(|event| event["stateEnteredEventDetails"]["name"].as_str());
        entered.map(str::to_owned).collect()
    }

    /// Stops an execution of a STANDARD machine, as an operator might by mistake.
    pub fn stop(&self, machine: &str, name: &str) {
        let arn = format!("{}:{name}", self.output(machine).replace(":stateMachine:", ":execution:"));
        self.aws("states", "AWSStepFunctions.StopExecution", &json!({"executionArn": arn}));
    }

    /// Ends the running EXPRESS executions of a name, as their time limit does.
    pub fn end_executions(&self, name: &str) {
        let url = format!("{}/_souk/executions/{name}", self.endpoint_url);
        assert_eq!(self.agent.delete(&url).call().unwrap().status(), 200);
    }

    /// Replaces the fault rules for invocations of functions; localstack/README.md describes their members.
    pub fn put_faults(&self, rules: &Value) {
        self.control(&self.endpoint_url, "faults", rules);
    }

    /// The number of invocations that the rule with this id holds now.
    pub fn held(&self, id: &str) -> u64 {
        self.rule("id", id)["waiting"].as_u64().unwrap_or_default()
    }

    /// The number of invocations to which the rule of this function was applied.
    pub fn fired(&self, function: &str) -> u64 {
        self.rule("function", &format!("souk-{function}"))["fired"].as_u64().unwrap_or_default()
    }

    fn rule(&self, member: &str, value: &str) -> Value {
        let rules = self.rules(&self.endpoint_url);
        rules.into_iter().find(|rule| rule[member] == value).unwrap_or_default()
    }

    /// The fault rules of a server.
    fn rules(&self, server: &str) -> Vec<Value> {
        let url = format!("{server}/_souk/faults");
        let text = self.agent.get(&url).call().unwrap().body_mut().read_to_string().unwrap();
        serde_json::from_str(&text).unwrap()
    }

    /// Sets the factors for the delays of state machines: `retry` for retriers, `wait` for Wait states.
    pub fn put_delays(&self, scales: &Value) {
        self.control(&self.endpoint_url, "delays", scales);
    }

    /// Changes a setting of the control interface, such as `indexes`; localstack/README.md describes them.
    pub fn set(&self, setting: &str, value: &Value) {
        self.control(&self.endpoint_url, setting, value);
    }

    /// Gives settings of the control interface their defaults, and removes the payment provider's fault rules.
    pub fn reset(&self, settings: &[&str]) {
        for setting in settings {
            self.control_with("DELETE", &self.endpoint_url, setting, &Value::Null);
        }
        self.put_payment_faults(&json!([]));
    }

    /// Replaces the fault rules for calls to the payment provider; localstack/README.md describes their members.
    pub fn put_payment_faults(&self, rules: &Value) {
        self.control(&self.payments_url, "faults", rules);
    }

    /// Gives the table a new stream, as it has after a restore.
    pub fn restore(&self) {
        let table = json!({"table": self.output("TableName")});
        self.control_with("POST", &self.endpoint_url, "restore", &table);
    }

    fn control(&self, url: &str, what: &str, body: &Value) {
        self.control_with("PUT", url, what, body);
    }

    fn control_with(&self, method: &str, url: &str, what: &str, body: &Value) {
        let request = http::Request::builder().method(method).uri(format!("{url}/_souk/{what}"));
        let request = request.body(body.to_string()).unwrap();
        let mut response = self.agent.run(request).unwrap();
        let text = response.body_mut().read_to_string().unwrap();
        assert_eq!(response.status(), 200, "{what}: {text}");
    }

    /// Gives a refund another status at the provider, which tells it.
    pub fn put_refund(&self, refund: &str, status: &str) {
        self.control(&self.payments_url, &format!("refunds/{refund}"), &json!({"status": status}));
    }

    /// Disputes a payment at the provider, or lets the bank decide. The provider tells it.
    pub fn put_dispute(&self, payment: &str, status: &str) {
        self.control(&self.payments_url, &format!("disputes/{payment}"), &json!({"status": status}));
    }

    /// Lets the provider send no events about objects that contain this text.
    pub fn lose_events(&self, about: &str) {
        self.control(&self.payments_url, "faults", &json!([{"kind": "lose", "contains": about}]));
    }

    /// Cancels a payment, as somebody does in the provider's dashboard. The provider tells it.
    pub fn cancel_payment(&self, payment: &str) {
        let url = format!("{}/v1/payment_intents/{payment}/cancel", self.payments_url);
        let request = http::Request::post(url).header("authorization", "Bearer sk_test_local");
        assert_eq!(self.agent.run(request.body(()).unwrap()).unwrap().status(), 200);
    }

    /// The refunds of a payment, newest first.
    pub fn refunds(&self, payment: &str) -> Vec<Value> {
        let refunds = self.payment_list(&format!("refunds?payment_intent={payment}"));
        refunds["data"].as_array().unwrap().clone()
    }

    /// All payments at the provider, newest first.
    pub fn payments(&self) -> Vec<Value> {
        let mut all: Vec<Value> = Vec::new();
        loop {
            let after = all
                .last()
                .map_or_else(String::new, |last| format!("&starting_after={}", last["id"].as_str().unwrap()));
            let page = self.payment_list(&format!("payment_intents?limit=100{after}"));
            let more = page["has_more"] == true;
            all.extend(page["data"].as_array().unwrap().iter().cloned());
            if !more {
                return all;
            }
        }
    }

    /// The refunded amount of a payment, in minor units.
    pub fn refunded(&self, payment: &Value) -> i64 {
        let refunds = self.refunds(payment["id"].as_str().unwrap());
        let done = refunds.iter().filter(|refund| refund["status"] != "failed");
        done.map(|refund| refund["amount"].as_i64().unwrap()).sum()
    }

    fn payment_list(&self, path: &str) -> Value {
        let request = http::Request::get(format!("{}/v1/{path}", self.payments_url))
            .header("authorization", "Bearer sk_test_local");
        let mut response = self.agent.run(request.body(()).unwrap()).unwrap();
        let text = response.body_mut().read_to_string().unwrap();
        assert_eq!(response.status(), 200, "{path}: {text}");
        serde_json::from_str(&text).unwrap()
    }
}

/// A fault of a step of a state machine.
#[derive(Debug, Clone, Copy)]
pub struct StepFault {
    /// The kind of a rule of the control interface.
    pub kind: &'static str,
    /// `before` the step's work or `after` it.
    pub when: &'static str,
    /// The error that the state machine gets; the one of the kind if there is none here.
    pub error: Option<&'static str>,
    /// How many invocations it affects.
    pub times: u32,
    /// Whether the step is retried and succeeds.
    pub is_retried: bool,
}

const fn fault(kind: &'static str, when: &'static str, times: u32, is_retried: bool) -> StepFault {
    StepFault { kind, when, error: None, times, is_retried }
}

/// An error of Lambda itself, which is retried.
const fn lambda(kind: &'static str, error: &'static str) -> StepFault {
    StepFault { kind, when: kind, error: Some(error), times: 2, is_retried: true }
}

/// Errors of Lambda itself that a step may get before its work or after it.
pub const LAMBDA_ERRORS: [&str; 4] = [
    "Lambda.ServiceException",
    "Lambda.SdkClientException",
    "Lambda.ClientExecutionTimeoutException",
    "Lambda.Unknown",
];

/// The faults that every step is tested with.
pub const FAULTS: [StepFault; 11] = [
    fault("before", "before", 2, true),
    fault("after", "after", 2, true),
    fault("throttle", "before", 2, true),
    lambda("before", LAMBDA_ERRORS[0]),
    lambda("after", LAMBDA_ERRORS[1]),
    lambda("after", LAMBDA_ERRORS[2]),
    lambda("after", LAMBDA_ERRORS[3]),
    fault("timeout", "before", 1, false),
    fault("timeout", "after", 1, false),
    fault("fail", "before", 1, false),
    fault("fail", "after", 1, false),
];

/// The rules for a fault of a step, with each undo failing twice.
pub fn rules(step: &str, fault: StepFault, undos: &[&str]) -> Value {
    let undone = undos.iter().map(|undo| json!({"function": undo, "kind": "before", "times": 2}));
    let StepFault { kind, when, error, times, .. } = fault;
    let mut rule = json!({"function": step, "kind": kind, "when": when, "times": times});
    if let Some(error) = error {
        rule["errorType"] = json!(error);
    }
    iter::once(rule).chain(undone).collect()
}
