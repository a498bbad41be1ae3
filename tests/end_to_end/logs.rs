//! What operators read: Lambda's line about a failed invocation with the alarm's metric, and our lines with who did it.

use crate::{
    order_saga::DECLINED,
    orders::{VISA, order, place, product},
    own_instance::OwnInstance,
    souk::{Call, PASSWORD, SOUK, Souk, User, eventually, unique},
    tokens::part,
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

/// The sum of a metric over the last hour.
fn sum(souk: &Souk, metric: &str, dimensions: &Value) -> f64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    let input = json!({"Namespace": "Souk", "MetricName": metric, "Dimensions": dimensions,
        "StartTime": now - 3600, "EndTime": now + 60, "Period": 7200, "Statistics": ["Sum"]});
    let points = souk.aws("monitoring", "GraniteServiceVersion20100801.GetMetricStatistics", &input);
    points["Datapoints"].as_array().unwrap().iter().filter_map(|point| point["Sum"].as_f64()).sum()
}

fn failed_invocations(souk: &Souk) -> f64 {
    sum(souk, "FailedInvocations", &json!([]))
}

#[test]
fn a_failed_invocation_is_reported_and_counted() {
    let before = failed_invocations(&SOUK);
    SOUK.invoke("rating-audit", &json!({"unknown": true}));
    let statuses = statuses(&SOUK, "rating-audit");
    assert!(statuses.contains(&json!("error")), "{statuses:?}");
    assert!(failed_invocations(&SOUK) > before);
}

/// Both are checked with one instance, which takes seconds to start.
#[test]
fn rejected_orders_are_no_failed_invocations_and_security_events_say_who_did_it() {
    let own = OwnInstance::start("e2e-log-lines", &["LimitCancellations=1"]);
    let buyer = own.souk.user();
    rejected_orders_are_no_failed_invocations(&own.souk, &buyer);
    security_events_say_who_did_it(&own, &buyer);
}

/// A declined card and a product that is out of stock are everyday results, which must not raise the alarm.
fn rejected_orders_are_no_failed_invocations(souk: &Souk, buyer: &User) {
    let jam = product(souk, &souk.user(), 10, 650, "SGD");
    for (quantity, method) in [(1, DECLINED), (11, VISA)] {
        let order = order(&[(&jam, quantity)], method);
        place(souk, buyer, &unique(), &order).problem(422, "order-rejected");
    }
    for (step, invocations) in [("stock-reserve", 2), ("payment-authorize", 1), ("order-undo", 2)] {
        eventually("the invocations are reported", || statuses(souk, step).len() == invocations);
        assert_eq!(statuses(souk, step), vec![json!("success"); invocations], "{step}");
    }
    assert!(failed_invocations(souk) < 1.0);
}

/// Awaits a line of a function with these members.
fn await_line(own: &OwnInstance, function: &str, members: &Value) {
    let wanted = members.as_object().unwrap();
    eventually(&format!("a line of {function} with {members}"), || {
        let lines = own.lines(&format!("souk-{function}"));
        lines.iter().any(|line| wanted.iter().all(|(name, value)| line[name] == *value))
    });
}

fn security_events_say_who_did_it(own: &OwnInstance, buyer: &User) {
    let (souk, user) = (&own.souk, own.souk.user());
    let session = |token: &str| part(token, 1)["sid"].clone();
    await_line(
        own,
        "session-create",
        &json!({"event": "logged-in", "userId": user.id, "sessionId": session(&user.token)}),
    );
    let wrong = json!({"email": user.email, "password": "a wrong password"});
    souk.send(Call::new("POST", "/sessions").json(&wrong)).problem(401, "unauthenticated");
    let failed = json!({"event": "login-failed", "userId": user.id, "sessionId": null, "status": 401});
    await_line(own, "session-create", &failed);

    // A function behind the authorizer names its caller, and so does the gateway.
    let profile = souk.send(user.call("GET", "/users/me"));
    let id = profile.header("x-request-id");
    let line = json!({"requestId": id, "userId": user.id, "sessionId": session(&user.token), "event": null});
    await_line(own, "user-get", &line);
    await_access(own, id, &user.id);
    await_access(own, souk.get("/health").header("x-request-id"), "-");

    let (claims, _) = user.token.rsplit_once('.').unwrap();
    let forged = format!("Bearer {claims}.{}", "A".repeat(86));
    assert_eq!(souk.send(Call::new("GET", "/users/me").header("authorization", &forged)).status, 403);
    await_line(own, "authorizer", &json!({"event": "token-forged", "userId": null, "sessionId": null}));

    // The first refresh token is used again after the second one was exchanged.
    let refresh =
        |token: &str| souk.send(Call::new("POST", "/sessions/refresh").json(&json!({"refreshToken": token})));
    let second = refresh(&user.refresh).body["refreshToken"].as_str().unwrap().to_owned();
    assert_eq!(refresh(&second).status, 201);
    refresh(&user.refresh).problem(401, "unauthenticated");
    let reuse = json!({"event": "refresh-reuse", "userId": user.id, "sessionId": session(&user.token)});
    await_line(own, "session-refresh", &reuse);
    for event in ["refresh-reuse", "token-forged"] {
        let dimension = json!([{"Name": "event", "Value": event}]);
        eventually("the event is counted", || sum(souk, "SecurityEvents", &dimension) > 0.0);
    }

    await_line(own, "payment-authorize", &json!({"event": "payment-declined", "userId": buyer.id}));
    let cancel = buyer.call("POST", &format!("/orders/{}/cancellation", user.id));
    assert_eq!([souk.send(cancel.clone()).status, souk.send(cancel).status], [404, 429]);
    await_line(own, "order-cancel", &json!({"error": "not-found", "status": 404, "userId": buyer.id}));
    let limited = json!({"event": "limit-exceeded", "userId": buyer.id, "sessionId": session(&buyer.token)});
    await_line(own, "order-cancel", &limited);

    let logs = own.logs();
    for secret in [&user.email, &buyer.email, &user.token, &user.refresh, &second, claims] {
        assert!(!logs.contains(secret), "{secret}");
    }
    for password in [PASSWORD, "a wrong password"] {
        assert!(!logs.contains(password), "{password}");
    }
}

/// Awaits the line of the access log for a request, and checks its user.
fn await_access(own: &OwnInstance, request_id: &str, user: &str) {
    eventually("the request is in the access log", || {
        let lines = own.lines("api");
        let line = lines.iter().find(|line| line["requestId"] == request_id);
        line.is_some_and(|line| {
            assert_eq!(line["userId"], user, "{line}");
            true
        })
    });
}
