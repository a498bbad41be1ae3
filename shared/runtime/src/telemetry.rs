//! One JSON line for each invocation: a log record in CloudWatch's embedded metric format, so it also carries metrics.
//!
//! CloudWatch reads the metrics out of the line (embedded metric format,
//! <https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html>),
//! so that none of them costs a request.

use domain::Timestamp;
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
    cloud_watch_metrics: [Directive<'a>; 1],
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Directive<'a> {
    namespace: &'a str,
    dimensions: [&'static [&'static str]; 2],
    metrics: [Metric; 7],
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

const METRICS: [Metric; 7] = [
    metric("Requests", "Count"),
    metric("Latency", "Milliseconds"),
    metric("ResponseSize", "Bytes"),
    metric("ColdStart", "Count"),
    metric("ReadUnits", "Count"),
    metric("WriteUnits", "Count"),
    metric("Faults", "Count"),
];

fn line<'a>(
    (namespace, function): (&'a str, &'a str),
    at: Timestamp,
    latency_ms: f64,
    cold: bool,
    record: &LogRecord<'a>,
) -> Line<'a> {
    let fault = record.status >= 500;
    let dimensions: [&[_]; 2] = [&["Function"], &["Function", "Route", "StatusClass"]];
    Line {
        metadata: Metadata {
            timestamp: at.unix_milliseconds(),
            cloud_watch_metrics: [Directive { namespace, dimensions, metrics: METRICS }],
        },
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
        error: record.error,
        cause: record.cause,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_metric_and_dimension_of_the_line_has_a_value() {
        let units = Units { read: 0.5, write: 3.0 };
        let record = LogRecord {
            request_id: "r",
            route: "GET /x",
            status: 503,
            response_bytes: 9,
            units,
            error: Some("unavailable"),
            cause: None,
        };
        let line = line(("Souk", "f"), Timestamp::from_unix_milliseconds(7), 1.5, true, &record);
        let line = serde_json::to_value(line).unwrap();
        let directive = &line["_aws"]["CloudWatchMetrics"][0];
        let metrics =
            directive["Metrics"].as_array().unwrap().iter().map(|metric| metric["Name"].as_str().unwrap());
        let dimensions =
            directive["Dimensions"].as_array().unwrap().iter().flat_map(|set| set.as_array().unwrap());
        for name in metrics {
            assert!(line[name].is_number(), "{name}");
        }
        for name in dimensions {
            assert!(line[name.as_str().unwrap()].is_string(), "{name}");
        }
        assert_eq!((line["StatusClass"].as_str(), line["Faults"].as_u64()), (Some("5xx"), Some(1)));
    }
}
