//! The metric of how late events are.

use crate::context::Context;
use domain::Timestamp;
use serde_json::json;

impl Context {
    /// Writes how old the oldest event is that has not arrived to the log, in CloudWatch's embedded metric format; 0 if
    /// none is known to be missing.
    pub fn report_event_lag(&self, lag_ms: u64, at: Timestamp) {
        let namespace = self.settings().optional("METRICS_NAMESPACE").unwrap_or_else(|| "Souk".to_owned());
        let line = json!({
            "_aws": {
                "Timestamp": at.unix_milliseconds(),
                "CloudWatchMetrics": [{
                    "Namespace": namespace, "Dimensions": [[]],
                    "Metrics": [{"Name": "EventLag", "Unit": "Milliseconds"}],
                }],
            },
            "level": "info",
            "EventLag": lag_ms,
        });
        self.write_line(&line.to_string());
    }
}
