//! Metrics of no single invocation: lines of the log in CloudWatch's embedded metric format.

use crate::context::Context;
use domain::Timestamp;
use serde_json::{Value, json};

impl Context {
    /// Writes how old the oldest event is that has not arrived; 0 if none is known to be missing.
    pub fn report_event_lag(&self, lag_ms: u64, at: Timestamp) {
        self.write_metrics(&[("EventLag", "Milliseconds", lag_ms.into())], json!({}), at);
    }

    /// Writes how many orders are old enough to be settled, and are not. None is no metric, which costs nothing.
    pub fn report_unsettled_orders(&self, count: usize, at: Timestamp) {
        if count > 0 {
            self.write_metrics(&[("UnsettledOrders", "Count", count.into())], json!({}), at);
        }
    }

    /// Writes metrics without dimensions, each with its name, unit and value, and the members of `line`.
    pub(crate) fn write_metrics(&self, metrics: &[(&str, &str, Value)], mut line: Value, at: Timestamp) {
        let namespace = self.settings().optional("METRICS_NAMESPACE").unwrap_or_else(|| "Souk".to_owned());
        let named: Vec<_> =
            metrics.iter().map(|(name, unit, _)| json!({"Name": name, "Unit": unit})).collect();
        line["_aws"] = json!({
            "Timestamp": at.unix_milliseconds(),
            "CloudWatchMetrics": [{"Namespace": namespace, "Dimensions": [[]], "Metrics": named}],
        });
        line["level"] = "info".into();
        for (name, _, value) in metrics {
            line[*name] = value.clone();
        }
        self.write_line(&line.to_string());
    }
}
