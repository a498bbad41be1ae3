//! The totals of an experiment over its visitors.

use crate::{EventStore, answered_within};
use clickhouse::Row;
use domain::{
    Error, assignment::HashVersion, assignment_buckets::AssignmentBuckets, experiment_count::ExperimentCount,
};
use serde::Deserialize;
use statistics::{DayTotals, ExactSum, ExperimentTotals, VariantTotals, WINSORISE_QUANTILE};
use std::{collections::BTreeMap, time::Duration};

/// Counts each visitor once, in their variant, and sums integers exactly. Groups in the order of the table's key, so that the
/// visitors need not be in memory at the same time.
const TOTALS: &str = include_str!("experiment_totals.sql");

/// Where the statement has the bucket of a visitor whose id has these `bytes`, and the condition of the namespace.
const BUCKET: &str = "/* bucket */";
const NAMESPACE: &str = "/* namespace */";

/// FNV-1a over the id and then the seed.
const BUCKET_1: &str = "arrayFold((hash, unit) -> toUInt32(bitXor(hash, unit) * 16777619), \
    arrayConcat(bytes, {seed:Array(UInt16)}), toUInt32(2166136261)) % 1000";

/// FNV-1a over the digits of FNV-1a over the seed and then the id.
const BUCKET_2: &str = "arrayFold((hash, unit) -> toUInt32(bitXor(hash, unit) * 16777619), \
    reinterpret(toString(arrayFold((hash, unit) -> toUInt32(bitXor(hash, unit) * 16777619), \
    bytes, {seed_state:UInt32})), 'Array(UInt8)'), toUInt32(2166136261)) % 10000";

/// FNV-1a over the id and then the seed of the namespace.
const IN_NAMESPACE: &str = "AND (arrayFold((hash, unit) -> toUInt32(bitXor(hash, unit) * 16777619), \
    arrayConcat(bytes, {namespace_seed:Array(UInt16)}), toUInt32(2166136261)) % 1000 AS part) >= {namespace_first:UInt32} \
    AND part < {namespace_end:UInt32}";

/// How visitors count.
const COUNTED: u8 = 0;
const MULTIPLE: u8 = 1;

/// The visitors of a variant who count, or who are left out for the same reason.
#[derive(Row, Deserialize)]
struct ArmRow {
    /// The position of the variant, from 1 on.
    arm: u32,
    excluded: u8,
    users: u64,
    conversions: u64,
    sums: Vec<String>,
    cap: i64,
    capped_revenue: String,
    capped_revenue_squares: String,
    capped: u32,
    users_of_day: ByDay<u64>,
    conversions_of_day: ByDay<u64>,
    orders_of_day: ByDay<u64>,
    revenue_of_day: ByDay<i64>,
}

/// Days, and the number of each.
type ByDay<T> = (Vec<String>, Vec<T>);

impl EventStore {
    /// The totals of an experiment. `Unavailable` if counting takes longer than `limit`, after which ClickHouse ends the query.
    pub async fn experiment_totals(
        &self,
        count: &ExperimentCount,
        limit: Duration,
    ) -> Result<ExperimentTotals, Error> {
        let AssignmentBuckets { hash_version, seed, seed_state, variants, namespace, .. } = &count.buckets;
        let bucket = match hash_version {
            HashVersion::V1 => BUCKET_1,
            HashVersion::V2 => BUCKET_2,
        };
        let condition = if namespace.is_some() { IN_NAMESPACE } else { "" };
        let statement = TOTALS.replace(BUCKET, bucket).replace(NAMESPACE, condition);
        let products: Vec<String> = count.products.iter().map(ToString::to_string).collect();
        let mut query = self
            .client
            .query(&statement)
            .with_setting("max_execution_time", limit.as_secs().to_string())
            .param("experiment", count.experiment_id.to_string())
            .param("before", count.before.unix_milliseconds())
            .param("from", count.from.unix_milliseconds())
            .param("to", count.to.unix_milliseconds())
            .param("firsts", variants.iter().map(|range| range.start).collect::<Vec<u32>>())
            .param("ends", variants.iter().map(|range| range.end).collect::<Vec<u32>>())
            .param("keys", &count.variants)
            .param("products", products)
            .param("quantile", WINSORISE_QUANTILE);
        query = match hash_version {
            HashVersion::V1 => query.param("seed", seed),
            HashVersion::V2 => query.param("seed_state", seed_state),
        };
        if let Some(namespace) = namespace {
            query = query
                .param("namespace_seed", &namespace.seed)
                .param("namespace_first", namespace.buckets.start)
                .param("namespace_end", namespace.buckets.end);
        }
        let rows: Vec<ArmRow> = answered_within(limit, query.fetch_all()).await?;
        totals(&count.variants, &rows)
    }
}

fn totals(variants: &[String], rows: &[ArmRow]) -> Result<ExperimentTotals, Error> {
    let mut totals = ExperimentTotals::default();
    for row in rows {
        match row.excluded {
            COUNTED => {
                let key = usize::try_from(row.arm).ok().and_then(|arm| variants.get(arm.checked_sub(1)?));
                let key = key.ok_or_else(|| unexpected("a variant that the experiment does not have"))?;
                totals.variants.push(row.totals(key)?);
                totals.cap = ExactSum(row.cap.into());
            }
            MULTIPLE => totals.excluded.multiple_exposures += row.users,
            _ => totals.excluded.bots += row.users,
        }
    }
    totals.variants.sort_by(|a, b| a.variant.cmp(&b.variant));
    Ok(totals)
}

fn unexpected(what: &str) -> Error {
    Error::internal(format!("ClickHouse counted {what}"))
}

fn exact(text: &str) -> Result<ExactSum, Error> {
    text.parse().map(ExactSum).map_err(|_| unexpected("a sum of more than 128 bits"))
}

impl ArmRow {
    fn totals(&self, key: &str) -> Result<VariantTotals, Error> {
        let sums = self.sums.iter().map(|sum| exact(sum)).collect::<Result<Vec<_>, _>>()?;
        let &[
            orders,
            orders_squares,
            revenue,
            revenue_squares,
            revenue_orders,
            before,
            before_squares,
            before_revenue,
        ] = &sums[..]
        else {
            return Err(unexpected("another number of sums"));
        };
        Ok(VariantTotals {
            variant: key.to_owned(),
            users: self.users,
            conversions: self.conversions,
            orders,
            orders_squares,
            revenue,
            revenue_squares,
            revenue_orders,
            before,
            before_squares,
            before_revenue,
            capped_revenue: exact(&self.capped_revenue)?,
            capped_revenue_squares: exact(&self.capped_revenue_squares)?,
            capped: self.capped.into(),
            days: self.days(),
        })
    }

    fn days(&self) -> Vec<DayTotals> {
        let mut days = BTreeMap::new();
        add(&mut days, &self.users_of_day, |day, users| day.users = users);
        add(&mut days, &self.conversions_of_day, |day, conversions| day.conversions = conversions);
        add(&mut days, &self.orders_of_day, |day, orders| day.orders = orders);
        add(&mut days, &self.revenue_of_day, |day, revenue| day.revenue = ExactSum(revenue.into()));
        days.into_values().collect()
    }
}

fn add<'a, T: Copy>(
    days: &mut BTreeMap<&'a str, DayTotals>,
    numbers: &'a ByDay<T>,
    set: impl Fn(&mut DayTotals, T),
) {
    for (date, number) in numbers.0.iter().zip(&numbers.1) {
        let new = || DayTotals { date: date.clone(), ..DayTotals::default() };
        set(days.entry(date).or_insert_with(new), *number);
    }
}
