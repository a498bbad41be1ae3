//! One JSON line for each invocation: a log record in CloudWatch's embedded metric format, so it also carries metrics.
//!
//! CloudWatch reads the metrics out of the line (embedded metric format,
//! <https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html>),
//! so that none of them costs a request.

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
    status_class: &'static str,
    requests: u8,
    latency: f64,
    response_size: usize,
    cold_start: u8,
    read_units: f64,
    write_units: f64,
    faults: u8,
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

const METRICS: &[Metric] = &[
    metric("Requests", "Count"),
    metric("Latency", "Milliseconds"),
    metric("ResponseSize", "Bytes"),
    metric("ColdStart", "Count"),
    metric("ReadUnits", "Count"),
    metric("WriteUnits", "Count"),
    metric("Faults", "Count"),
];

const EVENT_METRICS: &[Metric] = &[metric("SecurityEvents", "Count")];

fn line<'a>(
    (namespace, function): (&'a str, &'a str),
    at: Timestamp,
    latency_ms: f64,
    cold: bool,
    record: &LogRecord<'a>,
) -> Line<'a> {
    let fault = record.status >= 500;
    let counted = record.event.filter(|event| event.is_counted()).map(|_| 1);
    let dimensions: &[&[_]] = &[&["Function"], &["Function", "Route", "StatusClass"]];
    let mut directives = vec![Directive { namespace, dimensions, metrics: METRICS }];
    // One metric for each event, for all functions together.
    directives.extend(counted.map(|_| Directive {
        namespace,
        dimensions: &[&["event"]],
        metrics: EVENT_METRICS,
    }));
    Line {
        metadata: Metadata { timestamp: at.unix_milliseconds(), cloud_watch_metrics: directives },
        function,
        route: record.route,
        status_class: match record.status / 100 {
            1 => "1xx",
            2 => "2xx",
            3 => "3xx",
            4 => "4xx",
            _ => "5xx",
        },
        requests: 1,
        latency: latency_ms,
        response_size: record.response_bytes,
        cold_start: u8::from(cold),
        read_units: record.units.read,
        write_units: record.units.write,
        faults: u8::from(fault),
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
        for event in [None, Some(SecurityEvent::TokenForged)] {
            let error = Some("unavailable");
            let record =
                LogRecord { route: "GET /x", status: 503, units, error, event, ..LogRecord::default() };
            let line = line_of(&record);
            let directives = line["_aws"]["CloudWatchMetrics"].as_array().unwrap();
            assert_eq!(directives.len(), if event.is_some() { 2 } else { 1 });
            let all = |member: &str| {
                directives
                    .iter()
                    .flat_map(|each| each[member].as_array().unwrap().clone())
                    .collect::<Vec<_>>()
            };
            for metric in all("Metrics") {
                assert!(line[metric["Name"].as_str().unwrap()].is_number(), "{metric}");
            }
            for name in all("Dimensions").iter().flat_map(|set| set.as_array().unwrap()) {
                assert!(line[name.as_str().unwrap()].is_string(), "{name}");
            }
            assert_eq!((line["StatusClass"].as_str(), line["Faults"].as_u64()), (Some("5xx"), Some(1)));
        }
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
