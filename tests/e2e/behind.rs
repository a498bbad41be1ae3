//! What stands behind the system under test: the AWS API, the payment provider, and their faults.

use crate::souk::{Souk, User};
use serde_json::{Value, json};
use table::keys::Key;
use ureq::http;

impl Souk {
    /// A call of the AWS API behind the instance, for what a client cannot see.
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

    /// How many items of the table have this partition key.
    pub fn items_in(&self, partition: &str) -> usize {
        let query = json!({
            "TableName": self.output("TableName"), "ConsistentRead": true, "Select": "COUNT",
            "KeyConditionExpression": "pk = :pk", "ExpressionAttributeValues": {":pk": {"S": partition}},
        });
        let count = self.aws("dynamodb", "DynamoDB_20120810.Query", &query)["Count"].as_u64().unwrap();
        usize::try_from(count).unwrap()
    }

    /// An item of the table; null where none is.
    pub fn item(&self, key: &Key) -> Value {
        let key = json!({"pk": {"S": key.pk}, "sk": {"S": key.sk}});
        let get = json!({"TableName": self.output("TableName"), "Key": key, "ConsistentRead": true});
        self.aws("dynamodb", "DynamoDB_20120810.GetItem", &get)["Item"].clone()
    }

    /// What a user asked for under this key, once it is recorded: the id.
    pub fn asked_for(&self, user: &User, operation: &str, key: &str) -> Option<String> {
        let record = self.item(&table::keys::idempotency(user.id.parse().unwrap(), operation, key));
        record["id"]["S"].as_str().map(str::to_owned)
    }

    /// The request for a concert that a user sent under this key, once it is recorded.
    pub fn request_of(&self, user: &User, key: &str) -> Option<Value> {
        let concert = self.asked_for(user, "concert-create", key)?;
        let request = self.item(&table::keys::concert_request(concert.parse().unwrap()));
        serde_json::from_str(request["input"]["S"].as_str()?).ok()
    }

    /// The ARN of an execution, by the output that holds the ARN of its machine.
    pub fn execution(&self, machine: &str, name: &str) -> String {
        format!("{}:{name}", self.output(machine).replace(":stateMachine:", ":execution:"))
    }

    /// The states that an execution entered, in order.
    pub fn entered(&self, machine: &str, name: &str) -> Vec<String> {
        let input = json!({"executionArn": self.execution(machine, name), "maxResults": 1000});
        let history = self.aws("states", "AWSStepFunctions.GetExecutionHistory", &input);
        let events = history["events"].as_array().unwrap().iter();
        let entered = events.filter_map(|event| event["stateEnteredEventDetails"]["name"].as_str());
        entered.map(str::to_owned).collect()
    }

    /// Stops an execution, as an operator could by mistake.
    pub fn stop(&self, machine: &str, name: &str) {
        let input = json!({"executionArn": self.execution(machine, name)});
        self.aws("states", "AWSStepFunctions.StopExecution", &input);
    }

    /// Makes invocations of functions fail as these rules say; localstack/README.md tells how.
    pub fn put_faults(&self, rules: &Value) {
        self.control(&self.endpoint_url, "faults", rules);
    }

    /// How many invocations a rule holds now, by its id.
    pub fn held(&self, id: &str) -> u64 {
        let url = format!("{}/_souk/faults", self.endpoint_url);
        let text = self.agent.get(&url).call().unwrap().body_mut().read_to_string().unwrap();
        let rules: Value = serde_json::from_str(&text).unwrap();
        let rule = rules.as_array().unwrap().iter().find(|rule| rule["id"] == id);
        rule.and_then(|rule| rule["waiting"].as_u64()).unwrap_or_default()
    }

    /// Scales the delays of state machines.
    pub fn put_delays(&self, scales: &Value) {
        self.control(&self.endpoint_url, "delays", scales);
    }

    /// Makes calls of the payment provider fail as these rules say; localstack/README.md tells how.
    pub fn put_payment_faults(&self, rules: &Value) {
        self.control(&self.payments_url, "faults", rules);
    }

    fn control(&self, url: &str, what: &str, body: &Value) {
        let request = http::Request::put(format!("{url}/_souk/{what}")).body(body.to_string()).unwrap();
        let mut response = self.agent.run(request).unwrap();
        let text = response.body_mut().read_to_string().unwrap();
        assert_eq!(response.status(), 200, "{what}: {text}");
    }

    /// The payments that the provider knows of, newest first.
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

    /// What was given back of a payment.
    pub fn refunded(&self, payment: &Value) -> i64 {
        let id = payment["id"].as_str().unwrap();
        let refunds = self.payment_list(&format!("refunds?payment_intent={id}"));
        refunds["data"].as_array().unwrap().iter().map(|refund| refund["amount"].as_i64().unwrap()).sum()
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

/// What can become of a step: the kind of fault, when it strikes, how often, and whether the step gets over it.
pub const FAULTS: [(&str, &str, u32, bool); 6] = [
    ("before", "before", 2, true),
    ("after", "after", 2, true),
    ("timeout", "before", 1, false),
    ("timeout", "after", 1, false),
    ("fail", "before", 1, false),
    ("fail", "after", 1, false),
];

/// The rules for a fault of a step, with each undo failing twice.
pub fn rules(step: &str, (kind, when, times, _): (&str, &str, u32, bool), undos: &[&str]) -> Value {
    let undone = undos.iter().map(|undo| json!({"function": undo, "kind": "before", "times": 2}));
    let rule = json!({"function": step, "kind": kind, "when": when, "times": times});
    std::iter::once(rule).chain(undone).collect()
}
