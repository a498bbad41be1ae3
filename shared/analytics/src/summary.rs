//! How often which events happened on which day.

use crate::{EventStore, answered};
use clickhouse::Row;
use domain::{
    Error,
    event_summary::{SummaryOf, SummaryPeriod},
};
use serde::{Deserialize, Serialize};

/// The most names of events, or pairs of name and variant, in a summary: those of the most events. Anybody can send events
/// with other names.
const MOST_NAMES: u64 = 100;

/// By name and day; of a product. Events of visitors that have the name of a purchase or a cancellation do not count: those come from
/// orders.
const OF_PRODUCT: &str = "
SELECT event, '' AS variant, day, events, visitors FROM (
    SELECT *, dense_rank() OVER (ORDER BY total DESC, event) AS place FROM (
        SELECT *, sum(events) OVER (PARTITION BY event) AS total FROM (
            SELECT event, toString(toDate(at)) AS day, count() AS events, uniqExact(visitor) AS visitors
            FROM product_events FINAL
            WHERE product = {product:String}
                AND at >= fromUnixTimestamp64Milli({from:Int64}, 'UTC') AND at < fromUnixTimestamp64Milli({to:Int64}, 'UTC')
                AND NOT (kind = 'event' AND event IN ('Order Completed', 'Order Cancelled'))
            GROUP BY event, day)))
WHERE place <= {names:UInt64}
ORDER BY day, event";

/// By name, variant and day; of an experiment. The same events do not count.
const OF_EXPERIMENT: &str = "
SELECT event, variant, day, events, visitors FROM (
    SELECT *, dense_rank() OVER (ORDER BY total DESC, event, variant) AS place FROM (
        SELECT *, sum(events) OVER (PARTITION BY event, variant) AS total FROM (
            SELECT event, toString(variant) AS variant, toString(toDate(at)) AS day, count() AS events,
                uniqExact(visitor) AS visitors
            FROM events FINAL
            WHERE experiment = {experiment:String}
                AND at >= fromUnixTimestamp64Milli({from:Int64}, 'UTC') AND at < fromUnixTimestamp64Milli({to:Int64}, 'UTC')
                AND NOT (kind = 'event' AND event IN ('Order Completed', 'Order Cancelled'))
            GROUP BY event, variant, day)))
WHERE place <= {names:UInt64}
ORDER BY day, event, variant";

/// The events of one name and variant on one day.
#[derive(Debug, Clone, PartialEq, Eq, Row, Serialize, Deserialize)]
pub struct DayCount {
    /// The name.
    pub event: String,
    /// The variant that the events name; empty if they name none, and in the summary of a product.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub variant: String,
    /// The day in UTC, as 2026-11-22.
    pub day: String,
    /// The number of events.
    pub events: u64,
    /// The number of visitors.
    pub visitors: u64,
}

impl EventStore {
    /// How often which events of a product or an experiment happened on which day of a period, by day and name.
    pub async fn summary(&self, of: &SummaryOf, period: SummaryPeriod) -> Result<Vec<DayCount>, Error> {
        let query = match of {
            SummaryOf::Product(id) => self.client.query(OF_PRODUCT).param("product", id.to_string()),
            SummaryOf::Experiment(id) => self.client.query(OF_EXPERIMENT).param("experiment", id.to_string()),
        };
        let query = query
            .param("from", period.from.unix_milliseconds())
            .param("to", period.to.unix_milliseconds())
            .param("names", MOST_NAMES);
        answered(query.fetch_all()).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use domain::event_record::{ORDER_CANCELLED, ORDER_COMPLETED};

    #[test]
    fn names_of_events_of_orders_are_those_of_the_records() {
        let left_out = format!("event IN ('{ORDER_COMPLETED}', '{ORDER_CANCELLED}')");
        assert!([OF_PRODUCT, OF_EXPERIMENT].iter().all(|query| query.contains(&left_out)), "{left_out}");
    }
}
