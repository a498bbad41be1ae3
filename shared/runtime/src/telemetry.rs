//! One JSON line for each invocation: a log record in CloudWatch's embedded metric format, so it also carries metrics.
//!
//! CloudWatch reads the metrics out of the line (embedded metric format,
//! <https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html>),
//! so that none of them costs a request. A metric is charged for each hour and each set of dimensions in which it is
//! written, so only what an alarm or a live graph needs is one; Logs Insights answers the rest from the lines (docs/cost.md).

use domain::{
    Timestamp,
    id::{SessionId, UserId},
    security::{SecurityEvent, Subject},
};
use serde::Serialize;
use std::{
    env,
    io::Write,
    sync::{
        LazyLock,
        atomic::{AtomicBool, Ordering},
    },
    time::Instant,
};
use table::Units;

static NAMESPACE: LazyLock<String> =
    LazyLock::new(|| env::var("METRICS_NAMESPACE").unwrap_or_else(|_| "Souk".to_owned()));
static FUNCTION: LazyLock<String> =
    LazyLock::new(|| env::var("AWS_LAMBDA_FUNCTION_NAME").unwrap_or_default());
static COLD: AtomicBool = AtomicBool::new(true);

/// A running invocation.
pub struct Invocation {
    at: Timestamp,
    started: Instant,
    cold: bool,
}

/// The result of an invocation, for the log.
#[derive(Default)]
pub struct LogRecord<'a> {
    /// The id of the request or invocation.
    pub request_id: &'a str,
    /// The route key, such as `GET /products/{productId}`; for other triggers, the kind of trigger.
    pub route: &'a str,
    /// The HTTP status; for other triggers, 200 or 500.
    pub status: u16,
    /// The length of the response body in bytes.
    pub response_bytes: usize,
    /// The capacity units that DynamoDB reported.
    pub units: Units,
    /// Whom the line is about: the caller, or whom a security event is about.
    pub subject: Subject,
    /// The security event, if there was one.
    pub event: Option<SecurityEvent>,
    /// The kind of problem or error.
    pub error: Option<&'a str>,
    /// Detail for the log; never sent to the client.
    pub cause: Option<&'a str>,
}

impl Invocation {
    /// Starts the clock of the invocation.
    pub fn begin(at: Timestamp) -> Self {
        Self { at, started: Instant::now(), cold: COLD.swap(false, Ordering::Relaxed) }
    }

    /// Writes the log line to standard output.
    pub fn end(self, record: &LogRecord<'_>) {
        let latency_ms = self.started.elapsed().as_secs_f64() * 1000.0;
        let line = line((&NAMESPACE, &FUNCTION), self.at, latency_ms, self.cold, record);
        // Serialization cannot fail for this type, and an error of standard output could not be reported anywhere.
        let Ok(mut text) = serde_json::to_vec(&line) else { return };
        text.push(b'\n');
        let _ = std::io::stdout().lock().write_all(&text);
    }
}

/// The members of the log line.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Line<'a> {
    #[serde(rename = "_aws")]
    metadata: Metadata<'a>,
    function: &'a str,
    route: &'a str,
    latency: f64,
    response_size: usize,
    cold_start: u8,
    read_units: f64,
    write_units: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    client_errors: Option<u8>,
    #[serde(skip_serializing_if = "Option::is_none")]
    faults: Option<u8>,
    #[serde(rename = "level")]
    level: &'static str,
    #[serde(rename = "requestId")]
    request_id: &'a str,
    #[serde(rename = "status")]
    status: u16,
    #[serde(rename = "userId", skip_serializing_if = "Option::is_none")]
    user_id: Option<UserId>,
    #[serde(rename = "sessionId", skip_serializing_if = "Option::is_none")]
    session_id: Option<SessionId>,
    #[serde(rename = "event", skip_serializing_if = "Option::is_none")]
    event: Option<SecurityEvent>,
    #[serde(skip_serializing_if = "Option::is_none")]
    security_events: Option<u8>,
    #[serde(rename = "error", skip_serializing_if = "Option::is_none")]
    error: Option<&'a str>,
    #[serde(rename = "cause", skip_serializing_if = "Option::is_none")]
    cause: Option<&'a str>,
}

/// The `_aws` member, which declares the metrics to CloudWatch.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Metadata<'a> {
    timestamp: u64,
    cloud_watch_metrics: Vec<Directive<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Directive<'a> {
    namespace: &'a str,
    dimensions: &'static [&'static [&'static str]],
    metrics: &'static [Metric],
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Metric {
    name: &'static str,
    unit: &'static str,
}

const fn metric(name: &'static str, unit: &'static str) -> Metric {
    Metric { name, unit }
}

/// One metric each for all functions together.
const METRICS: &[Metric] =
    &[metric("ReadUnits", "Count"), metric("WriteUnits", "Count"), metric("ResponseSize", "Bytes")];

const CLIENT_ERRORS: &[Metric] = &[metric("ClientErrors", "Count")];
const FAULTS: &[Metric] = &[metric("Faults", "Count")];
const EVENT_METRICS: &[Metric] = &[metric("SecurityEvents", "Count")];

/// The metrics of an invocation with this status; those of errors are of its function, and only of one that had an error.
fn directives(namespace: &str, status: u16, counted: bool) -> Vec<Directive<'_>> {
    let directive = |dimensions, metrics| Directive { namespace, dimensions, metrics };
    let mut directives = vec![directive(&[&[]], METRICS)];
    match status {
        400..500 => directives.push(directive(&[&["Function"]], CLIENT_ERRORS)),
        500.. => directives.push(directive(&[&["Function"]], FAULTS)),
        _ => {}
    }
    if counted {
        // One metric for each event, for all functions together.
        directives.push(directive(&[&["event"]], EVENT_METRICS));
    }
    directives
}

fn line<'a>(
    (namespace, function): (&'a str, &'a str),
    at: Timestamp,
    latency_ms: f64,
    cold: bool,
    record: &LogRecord<'a>,
) -> Line<'a> {
    let fault = record.status >= 500;
    let counted = record.event.filter(|event| event.is_counted()).map(|_| 1);
    let cloud_watch_metrics = directives(namespace, record.status, counted.is_some());
    Line {
        metadata: Metadata { timestamp: at.unix_milliseconds(), cloud_watch_metrics },
        function,
        route: record.route,
        latency: latency_ms,
        response_size: record.response_bytes,
        cold_start: u8::from(cold),
        read_units: record.units.read,
        write_units: record.units.write,
        client_errors: (400..500).contains(&record.status).then_some(1),
        faults: fault.then_some(1),
        level: if fault { "error" } else { "info" },
        request_id: record.request_id,
        status: record.status,
        user_id: record.subject.user_id,
        session_id: record.subject.session_id,
        event: record.event,
        security_events: counted,
        error: record.error,
        cause: record.cause,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use domain::id::Id;

    fn line_of(record: &LogRecord<'_>) -> serde_json::Value {
        let line = line(("Souk", "f"), Timestamp::from_unix_milliseconds(7), 1.5, true, record);
        serde_json::to_value(line).unwrap()
    }

    #[test]
    fn each_metric_and_dimension_of_the_line_has_a_value() {
        let units = Units { read: 0.5, write: 3.0 };
        let forged = Some(SecurityEvent::TokenForged);
        let all = "ReadUnits WriteUnits ResponseSize";
        for (status, event, metrics) in [
            (200, None, all.to_owned()),
            (304, None, all.to_owned()),
            (404, None, format!("{all} ClientErrors")),
            (403, forged, format!("{all} ClientErrors SecurityEvents")),
            (503, None, format!("{all} Faults")),
        ] {
            let line = line_of(&LogRecord { status, units, event, ..LogRecord::default() });
            let mut named = Vec::new();
            for directive in line["_aws"]["CloudWatchMetrics"].as_array().unwrap() {
                for metric in directive["Metrics"].as_array().unwrap() {
                    let name = metric["Name"].as_str().unwrap();
                    assert!(line[name].is_number(), "{name}");
                    named.push(name);
                }
                for name in directive["Dimensions"][0].as_array().unwrap() {
                    assert!(line[name.as_str().unwrap()].is_string(), "{name}");
                }
            }
            assert_eq!(named.join(" "), metrics, "{status}");
        }
    }

    /// A metric that is written for each function and with each request is charged a hundred times.
    #[test]
    fn a_request_that_succeeds_writes_no_metric_of_its_function() {
        let line = line_of(&LogRecord { status: 200, ..LogRecord::default() });
        let directives = &line["_aws"]["CloudWatchMetrics"];
        assert_eq!(directives.as_array().unwrap().len(), 1);
        assert_eq!(directives[0]["Dimensions"], serde_json::json!([[]]));
        assert!(line.get("ClientErrors").is_none() && line.get("Faults").is_none(), "{line}");
    }

    #[test]
    fn a_line_names_its_subject_and_its_security_event() {
        let at = Timestamp::from_unix_milliseconds(7);
        let (user_id, session_id) = (UserId::new(at, [1; 10]), SessionId::new(at, [3; 10]));
        let subject = Subject { user_id: Some(user_id), session_id: Some(session_id) };
        for (event, name, counted) in [
            (SecurityEvent::LoginFailed, "login-failed", false),
            (SecurityEvent::RefreshReuse, "refresh-reuse", true),
            (SecurityEvent::TokenForged, "token-forged", true),
            (SecurityEvent::LimitExceeded, "limit-exceeded", false),
            (SecurityEvent::PaymentDeclined, "payment-declined", false),
        ] {
            let line = line_of(&LogRecord { subject, event: Some(event), ..LogRecord::default() });
            assert_eq!(line["event"], name);
            assert_eq!(line["userId"], user_id.to_string());
            assert_eq!(line["sessionId"], session_id.to_string());
            assert_eq!(line["SecurityEvents"].is_number(), counted, "{name}");
        }
        let line = line_of(&LogRecord::default());
        assert_eq!(line["_aws"]["Timestamp"], 7, "in milliseconds since 1970");
        for member in ["userId", "sessionId", "event", "SecurityEvents"] {
            assert!(line.get(member).is_none(), "{member}");
        }
    }

    #[test]
    fn a_line_is_one_line_whatever_it_quotes() {
        let cause = "a text\r\n{\"event\":\"login-failed\"}\u{2028}";
        let record = LogRecord { route: "GET /\n", cause: Some(cause), ..LogRecord::default() };
        let line = line(("Souk", "f"), Timestamp::from_unix_milliseconds(7), 1.5, true, &record);
        let text = serde_json::to_string(&line).unwrap();
        assert!(!text.contains(['\r', '\n']));
        let read: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!((&read["cause"], &read["event"]), (&cause.into(), &serde_json::Value::Null));
    }
}
