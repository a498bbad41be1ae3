//! How a failed invocation is reported to operators: Lambda's line in the shared log group, and the alarm's metric.

use crate::souk::SOUK;
use serde_json::{Value, json};
use std::time::{SystemTime, UNIX_EPOCH};

const LOG_GROUP: &str = "/aws/lambda/souk";

/// The items of the member `list` on all pages of a CloudWatch Logs response.
fn pages(operation: &str, mut input: Value, list: &str) -> Vec<Value> {
    let mut all = Vec::new();
    loop {
        let page = SOUK.aws("logs", &format!("Logs_20140328.{operation}"), &input);
        all.extend(page[list].as_array().unwrap().iter().cloned());
        match &page["nextToken"] {
            Value::Null => return all,
            next => input["nextToken"] = next.clone(),
        }
    }
}

/// The final statuses of a function's invocations, from the streams of the shared log group that have its name.
fn statuses(function: &str) -> Vec<Value> {
    let streams = pages("DescribeLogStreams", json!({"logGroupName": LOG_GROUP}), "logStreams");
    let names = streams.iter().filter_map(|stream| stream["logStreamName"].as_str());
    let own = names.filter(|name| name.contains(&format!("/souk-{function}[$LATEST]")));
    let events = own.flat_map(|name| {
        let input = json!({"logGroupName": LOG_GROUP, "logStreamNames": [name]});
        pages("FilterLogEvents", input, "events")
    });
    let lines = events.filter_map(|event| serde_json::from_str::<Value>(event["message"].as_str()?).ok());
    lines
        .filter(|line| line["type"] == "platform.report")
        .map(|line| line["record"]["status"].clone())
        .collect()
}

/// The sum of the failed-invocations alarm's metric over the last hour.
fn failed_invocations() -> f64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    let input = json!({"Namespace": "Souk", "MetricName": "FailedInvocations", "StartTime": now - 3600,
        "EndTime": now + 60, "Period": 7200, "Statistics": ["Sum"]});
    let points = SOUK.aws("monitoring", "GraniteServiceVersion20100801.GetMetricStatistics", &input);
    points["Datapoints"].as_array().unwrap().iter().filter_map(|point| point["Sum"].as_f64()).sum()
}

#[test]
fn a_failed_invocation_is_reported_and_counted() {
    let before = failed_invocations();
    SOUK.invoke("rating-audit", &json!({"unknown": true}));
    let statuses = statuses("rating-audit");
    assert!(statuses.contains(&json!("error")), "{statuses:?}");
    assert!(failed_invocations() > before);
}
