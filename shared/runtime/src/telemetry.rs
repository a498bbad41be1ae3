//! One line for each invocation: a structured log record that is at the same time metrics.
//!
//! CloudWatch reads the metrics out of the line (embedded metric format,
//! <https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html>),
//! so that none of them costs a request.

use crate::environment;
use domain::Timestamp;
use serde_json::{Value, json};
use std::{
    io::Write,
    sync::{
        LazyLock,
        atomic::{AtomicBool, Ordering},
    },
    time::Instant,
};
use table::Units;

static NAMESPACE: LazyLock<String> =
    LazyLock::new(|| environment::optional("METRICS_NAMESPACE").unwrap_or_else(|| "Souk".to_owned()));
static FUNCTION: LazyLock<String> =
    LazyLock::new(|| environment::optional("AWS_LAMBDA_FUNCTION_NAME").unwrap_or_default());
static COLD: AtomicBool = AtomicBool::new(true);

/// An invocation under way.
pub struct Invocation {
    at: Timestamp,
    started: Instant,
    cold: bool,
}

/// How an invocation ended.
pub struct Record<'a> {
    /// Names the invocation.
    pub request_id: &'a str,
    /// As in `GET /products/{productId}`; for what is no HTTP, how the function is triggered.
    pub route: &'a str,
    /// An HTTP status, or 200 and 500 for what is no HTTP.
    pub status: u16,
    /// Of the response's body.
    pub response_bytes: usize,
    /// What DynamoDB charged.
    pub units: Units,
    /// The kind of problem or error.
    pub error: Option<&'a str>,
    /// What only the log may hold.
    pub cause: Option<&'a str>,
}

impl Invocation {
    /// Begins now.
    pub fn begin(at: Timestamp) -> Self {
        Self { at, started: Instant::now(), cold: COLD.swap(false, Ordering::Relaxed) }
    }

    /// Ends now, with its one line on standard output.
    pub fn end(self, record: &Record<'_>) {
        let latency_ms = self.started.elapsed().as_secs_f64() * 1000.0;
        let mut line = line((&NAMESPACE, &FUNCTION), self.at, latency_ms, self.cold, record).to_string();
        line.push('\n');
        // There is nobody to tell when standard output is gone.
        let _ = std::io::stdout().lock().write_all(line.as_bytes());
    }
}

fn line(names: (&str, &str), at: Timestamp, latency_ms: f64, cold: bool, record: &Record<'_>) -> Value {
    let (namespace, function) = names;
    let metric = |name: &str, unit: &str| json!({"Name": name, "Unit": unit});
    let fault = record.status >= 500;
    let mut line = json!({
        "_aws": {
            "Timestamp": at.unix_milliseconds(),
            "CloudWatchMetrics": [{
                "Namespace": namespace,
                "Dimensions": [["Function"], ["Function", "Route", "StatusClass"]],
                "Metrics": [
                    metric("Requests", "Count"),
                    metric("Latency", "Milliseconds"),
                    metric("ResponseSize", "Bytes"),
                    metric("ColdStart", "Count"),
                    metric("ReadUnits", "Count"),
                    metric("WriteUnits", "Count"),
                    metric("Faults", "Count"),
                ],
            }],
        },
        "Function": function,
        "Route": record.route,
        "StatusClass": format!("{}xx", record.status / 100),
        "Requests": 1,
        "Latency": latency_ms,
        "ResponseSize": record.response_bytes,
        "ColdStart": u8::from(cold),
        "ReadUnits": record.units.read,
        "WriteUnits": record.units.write,
        "Faults": u8::from(fault),
        "level": if fault { "error" } else { "info" },
        "requestId": record.request_id,
        "status": record.status,
    });
    if let Some(error) = record.error {
        line["error"] = error.into();
    }
    if let Some(cause) = record.cause {
        line["cause"] = cause.into();
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_metric_and_dimension_of_the_line_has_a_value() {
        let units = Units { read: 0.5, write: 3.0 };
        let record = Record {
            request_id: "r",
            route: "GET /x",
            status: 503,
            response_bytes: 9,
            units,
            error: Some("unavailable"),
            cause: None,
        };
        let line = line(("Souk", "f"), Timestamp::from_unix_milliseconds(7), 1.5, true, &record);
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
