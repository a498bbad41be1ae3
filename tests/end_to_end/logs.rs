//! How a failed invocation is reported to operators: Lambda's line in the shared log group, and the alarm's metric.

use crate::{
    order_saga::DECLINED,
    orders::{VISA, order, place, product},
    souk::{OwnInstance, SOUK, Souk, eventually, unique},
};
use serde_json::{Value, json};
use std::time::{SystemTime, UNIX_EPOCH};

const LOG_GROUP: &str = "/aws/lambda/souk";

/// The items of the member `list` on all pages of a CloudWatch Logs response.
fn pages(souk: &Souk, operation: &str, mut input: Value, list: &str) -> Vec<Value> {
    let mut all = Vec::new();
    loop {
        let page = souk.aws("logs", &format!("Logs_20140328.{operation}"), &input);
        all.extend(page[list].as_array().unwrap().iter().cloned());
        match &page["nextToken"] {
            Value::Null => return all,
            next => input["nextToken"] = next.clone(),
        }
    }
}

/// The final statuses of a function's invocations, from the streams of the shared log group that have its name.
fn statuses(souk: &Souk, function: &str) -> Vec<Value> {
    let streams = pages(souk, "DescribeLogStreams", json!({"logGroupName": LOG_GROUP}), "logStreams");
    let names = streams.iter().filter_map(|stream| stream["logStreamName"].as_str());
    let own = names.filter(|name| name.contains(&format!("/souk-{function}[$LATEST]")));
    let events = own.flat_map(|name| {
        let input = json!({"logGroupName": LOG_GROUP, "logStreamNames": [name]});
        pages(souk, "FilterLogEvents", input, "events")
    });
    let lines = events.filter_map(|event| serde_json::from_str::<Value>(event["message"].as_str()?).ok());
    lines
        .filter(|line| line["type"] == "platform.report")
        .map(|line| line["record"]["status"].clone())
        .collect()
}

/// The sum of the failed-invocations alarm's metric over the last hour.
fn failed_invocations(souk: &Souk) -> f64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    let input = json!({"Namespace": "Souk", "MetricName": "FailedInvocations", "StartTime": now - 3600,
        "EndTime": now + 60, "Period": 7200, "Statistics": ["Sum"]});
    let points = souk.aws("monitoring", "GraniteServiceVersion20100801.GetMetricStatistics", &input);
    points["Datapoints"].as_array().unwrap().iter().filter_map(|point| point["Sum"].as_f64()).sum()
}

#[test]
fn a_failed_invocation_is_reported_and_counted() {
    let before = failed_invocations(&SOUK);
    SOUK.invoke("rating-audit", &json!({"unknown": true}));
    let statuses = statuses(&SOUK, "rating-audit");
    assert!(statuses.contains(&json!("error")), "{statuses:?}");
    assert!(failed_invocations(&SOUK) > before);
}

/// A declined card and a product that is out of stock are everyday results, which must not raise the alarm.
#[test]
fn a_rejected_order_is_no_failed_invocation() {
    let own = OwnInstance::start("e2e-rejected", &[]);
    let souk = &own.souk;
    let (jam, buyer) = (product(souk, &souk.user(), 10, 650, "SGD"), souk.user());
    for (quantity, method) in [(1, DECLINED), (11, VISA)] {
        let order = order(&[(&jam, quantity)], method);
        place(souk, &buyer, &unique(), &order).problem(422, "order-rejected");
    }
    for (step, invocations) in [("stock-reserve", 2), ("payment-authorize", 1), ("order-undo", 2)] {
        eventually("the invocations are reported", || statuses(souk, step).len() == invocations);
        assert_eq!(statuses(souk, step), vec![json!("success"); invocations], "{step}");
    }
    assert!(failed_invocations(souk) < 1.0);
}
