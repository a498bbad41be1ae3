//! Counting an experiment in ClickHouse, against a model that counts in memory.

use crate::{
    backend::inserting,
    souk::{SOUK, unique},
};
use domain::{
    Timestamp,
    assignment::{Assignment, BucketRange, HashVersion, Namespace},
    assignment_buckets::AssignmentBuckets,
    event_record::EventRecord,
    experiment_count::ExperimentCount,
    id::{ExperimentId, Id, ProductId},
};
use serde_json::{Value, json};
use statistics::{
    DayTotals, ExactSum, ExcludedVisitors, ExperimentTotals, VariantTotals, WINSORISE_QUANTILE, winsorise,
};
use std::{
    collections::BTreeMap,
    sync::LazyLock,
    time::{Duration, SystemTime},
};
use uuid::Uuid;

const KEYS: [&str; 3] = ["control", "low", "high"];
const HOUR: i64 = 3_600;
/// How long the experiment runs.
const DAYS: i64 = 6;
const VISITORS: u64 = 4_000;
/// The longest time of a count.
const LIMIT: Duration = Duration::from_mins(1);

/// Numbers that are the same in each run.
struct Draw(u64);

impl Draw {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % limit
    }

    fn percent(&mut self, percent: u64) -> bool {
        self.below(100) < percent
    }

    fn seconds(&mut self, from: i64, to: i64) -> i64 {
        from + i64::try_from(self.below((to - from).unsigned_abs())).unwrap()
    }
}

/// The start of the experiment. ClickHouse deletes what is too old.
static START: LazyLock<Timestamp> = LazyLock::new(|| {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_millis();
    Timestamp::from_unix_milliseconds(now.try_into().unwrap()).minus_seconds(10 * 24 * 3_600)
});

/// So many seconds after the start of the experiment.
fn at(seconds: i64) -> Timestamp {
    let distance = seconds.unsigned_abs();
    if seconds < 0 { START.minus_seconds(distance) } else { START.plus_seconds(distance) }
}

/// Whether the experiment runs then.
fn is_inside(seconds: i64) -> bool {
    (0..DAYS * 24 * HOUR).contains(&seconds)
}

/// An order of the experiment's product.
struct Sale {
    seconds: i64,
    /// The amount of each line.
    lines: Vec<i64>,
    is_cancelled: bool,
}

/// What a visitor does.
struct Visitor {
    id: String,
    is_bot: bool,
    /// The times of exposures, in seconds after the start.
    exposures: Vec<i64>,
    sales: Vec<Sale>,
    /// The variant in the orders' lines.
    paid: &'static str,
    /// What they spent on the product in the time before.
    before: i64,
}

fn visitor(draw: &mut Draw, number: u64, assignment: &Assignment) -> Visitor {
    let id = match number % 50 {
        0 => format!("visitor-{number}"),
        1 => format!("b\u{e9}sucher-{number}"),
        _ => Uuid::from_u64_pair(number.wrapping_mul(0x9e37_79b9_7f4a_7c15), number).to_string(),
    };
    let assigned = assignment.variant(&id).map_or("", |index| KEYS[index]);
    let exposures = (0..draw.below(4)).map(|_| draw.seconds(-HOUR, (DAYS * 24 + 1) * HOUR)).collect();
    let sale = |draw: &mut Draw| Sale {
        // Some after the end, when prices are still honoured.
        seconds: draw.seconds(0, (DAYS * 24 + 12) * HOUR),
        lines: (0..=draw.below(2)).map(|_| draw.seconds(1, 9_000)).collect(),
        is_cancelled: draw.percent(20),
    };
    let count = if draw.percent(40) { draw.below(4) } else { 0 };
    Visitor {
        is_bot: draw.percent(3),
        exposures,
        sales: (0..count).map(|_| sale(draw)).collect(),
        paid: if draw.percent(2) { KEYS[usize::try_from(draw.below(3)).unwrap()] } else { assigned },
        before: if draw.percent(20) { draw.seconds(1, 5_000) } else { 0 },
        id,
    }
}

/// The experiment, and what the events of its visitors say.
struct Story {
    assignment: Assignment,
    count: ExperimentCount,
    visitors: Vec<Visitor>,
}

impl Story {
    fn new(seed: u64, assignment: Assignment) -> Self {
        let id = |byte: u8| [byte; 10];
        let mut draw = Draw(seed);
        let visitors = (0..VISITORS).map(|number| visitor(&mut draw, number, &assignment)).collect();
        let unique = Uuid::new_v5(&Uuid::NAMESPACE_URL, unique().as_bytes()).into_bytes();
        let count = ExperimentCount {
            experiment_id: ExperimentId::new(at(0), unique[..10].try_into().unwrap()),
            variants: KEYS.map(str::to_owned).to_vec(),
            buckets: AssignmentBuckets::of(&assignment),
            products: vec![
                ProductId::new(at(0), unique[6..].try_into().unwrap()),
                ProductId::new(at(0), id(9)),
            ],
            before: at(-28 * 24 * HOUR),
            from: at(0),
            to: at(DAYS * 24 * HOUR),
        };
        Self { assignment, count, visitors }
    }

    fn record(&self, kind: &str, visitor: &Visitor, seconds: i64, members: &Value) -> EventRecord {
        let name = format!("{}{kind}{}{seconds}{members}", self.count.experiment_id, visitor.id);
        let mut record = json!({
            "id": Uuid::new_v5(&Uuid::NAMESPACE_URL, name.as_bytes()), "kind": kind, "event": kind, "visitor": visitor.id,
            "at": at(seconds).unix_milliseconds(), "receivedAt": at(seconds + 9).unix_milliseconds(),
        });
        record.as_object_mut().unwrap().extend(members.as_object().unwrap().clone());
        serde_json::from_value(record).unwrap()
    }

    /// The events, some of them twice, and some from visitors who are not in the experiment.
    fn records(&self) -> Vec<EventRecord> {
        let experiment = self.count.experiment_id.to_string();
        let product = self.count.products[0].to_string();
        let mut records = Vec::new();
        for (index, visitor) in self.visitors.iter().enumerate() {
            for seconds in &visitor.exposures {
                // A client names any variant, also one that does not exist.
                let claimed = ["high", "control", "none"][index % 3];
                let members = json!({"experiment": experiment, "variant": claimed, "bot": visitor.is_bot});
                records.push(self.record("exposure", visitor, *seconds, &members));
            }
            for (number, sale) in visitor.sales.iter().enumerate() {
                let order = ProductId::new(at(sale.seconds), [u8::try_from(number).unwrap(); 10]).to_string();
                for (line, amount) in sale.lines.iter().enumerate() {
                    let members = |sign: i64| {
                        json!({"experiment": experiment, "variant": visitor.paid, "product": product, "order": order,
                            "quantity": sign, "amount": sign * amount, "currency": "SGD", "properties": {"line": line}})
                    };
                    records.push(self.record("purchase", visitor, sale.seconds, &members(1)));
                    if sale.is_cancelled {
                        records.push(self.record("cancellation", visitor, sale.seconds + HOUR, &members(-1)));
                    }
                }
            }
            if visitor.before > 0 {
                let members = |amount: i64, product: &str| json!({"product": product, "amount": amount, "quantity": 1, "currency": "SGD", "order": product});
                records.push(self.record("purchase", visitor, -HOUR, &members(visitor.before, &product)));
                // Too early, and another product.
                records.push(self.record("purchase", visitor, -29 * 24 * HOUR, &members(77, &product)));
                let other = self.count.experiment_id.to_string();
                records.push(self.record("purchase", visitor, -HOUR, &members(77, &other)));
            }
        }
        records
    }

    /// The totals of this, by the rules of [`ExperimentCount`].
    fn totals(&self) -> ExperimentTotals {
        let mut arms: BTreeMap<&str, Arm> = BTreeMap::new();
        let mut excluded = ExcludedVisitors::default();
        for visitor in &self.visitors {
            let exposed = visitor.exposures.iter().filter(|seconds| is_inside(**seconds)).min();
            let assigned = self.assignment.variant(&visitor.id).filter(|_| visitor.id.is_ascii());
            let (Some(exposed), Some(index)) = (exposed, assigned) else { continue };
            if visitor.is_bot {
                excluded.bots += 1;
            } else if visitor.sales.iter().any(|sale| is_inside(sale.seconds)) && visitor.paid != KEYS[index]
            {
                excluded.multiple_exposures += 1;
            } else {
                arms.entry(KEYS[index]).or_default().add(visitor, *exposed);
            }
        }
        let values: Vec<Vec<i128>> = arms.values().map(|arm| arm.revenues.clone()).collect();
        let capped = winsorise(&values, WINSORISE_QUANTILE).unwrap();
        let variants = arms.into_iter().zip(capped.sums.iter().zip(&capped.capped));
        let variants = variants.map(|((key, arm), (sums, capped))| VariantTotals {
            variant: key.to_owned(),
            capped_revenue: ExactSum(sums.sum),
            capped_revenue_squares: ExactSum(sums.sum_squares),
            capped: *capped,
            days: arm.days.into_values().collect(),
            ..arm.totals
        });
        ExperimentTotals { variants: variants.collect(), excluded, cap: ExactSum(capped.cap) }
    }
}

#[derive(Default)]
struct Arm {
    totals: VariantTotals,
    revenues: Vec<i128>,
    days: BTreeMap<String, DayTotals>,
}

impl Arm {
    fn day(&mut self, seconds: i64) -> &mut DayTotals {
        let date = at(seconds).to_string()[..10].to_owned();
        self.days.entry(date.clone()).or_insert_with(|| DayTotals { date, ..DayTotals::default() })
    }

    fn add(&mut self, visitor: &Visitor, exposed: i64) {
        let counts = |sale: &&Sale| sale.seconds >= exposed && is_inside(sale.seconds) && !sale.is_cancelled;
        let sales: Vec<(i64, i64)> =
            visitor.sales.iter().filter(counts).map(|sale| (sale.seconds, sale.lines.iter().sum())).collect();
        self.day(exposed).users += 1;
        if let Some(first) = sales.iter().map(|(seconds, _)| *seconds).min() {
            self.day(first).conversions += 1;
            self.totals.conversions += 1;
        }
        for (seconds, amount) in &sales {
            let day = self.day(*seconds);
            day.orders += 1;
            day.revenue.0 += i128::from(*amount);
        }
        let orders = i128::try_from(sales.len()).unwrap();
        let revenue: i128 = sales.iter().map(|(_, amount)| i128::from(*amount)).sum();
        let before = i128::from(visitor.before);
        let totals = &mut self.totals;
        totals.users += 1;
        for (sum, value) in [
            (&mut totals.orders, orders),
            (&mut totals.orders_squares, orders * orders),
            (&mut totals.revenue, revenue),
            (&mut totals.revenue_squares, revenue * revenue),
            (&mut totals.revenue_orders, revenue * orders),
            (&mut totals.before, before),
            (&mut totals.before_squares, before * before),
            (&mut totals.before_revenue, before * revenue),
        ] {
            sum.0 += value;
        }
        self.revenues.push(revenue);
    }
}

fn assignment(hash_version: HashVersion, namespace: Option<Namespace>) -> Assignment {
    let weights = vec![0.2, 0.3, 0.5];
    Assignment { seed: "pr\u{e9}cis".to_owned(), hash_version, coverage: 0.8, weights, namespace }
}

#[tokio::test]
async fn totals_are_exact_and_repeats_change_nothing() {
    let (clickhouse, _inserting) = (SOUK.clickhouse(), inserting());
    let range = BucketRange { start: 0.1, end: 0.7 };
    let namespace = Namespace { name: "prices".to_owned(), range };
    for (seed, assignment) in [
        (1, assignment(HashVersion::V2, None)),
        (2, assignment(HashVersion::V1, Some(namespace.clone()))),
        (3, assignment(HashVersion::V2, Some(namespace))),
    ] {
        let story = Story::new(seed, assignment);
        let expected = story.totals();
        assert!(expected.excluded.bots > 0 && expected.excluded.multiple_exposures > 0, "{expected:?}");
        let mut records = story.records();
        for chunk in records.chunks(5_000) {
            clickhouse.store(chunk).await.unwrap();
        }
        assert_eq!(clickhouse.experiment_totals(&story.count, LIMIT).await.unwrap(), expected, "{seed}");
        records.retain(|record| record.id.as_bytes()[0] < 25);
        for record in &mut records {
            record.received_at = record.received_at.plus_seconds(3_600);
        }
        clickhouse.store(&records).await.unwrap();
        assert_eq!(
            clickhouse.experiment_totals(&story.count, LIMIT).await.unwrap(),
            expected,
            "{seed}, with repeats"
        );
    }
}

#[tokio::test]
async fn an_experiment_without_events_has_no_totals() {
    let count = ExperimentCount {
        experiment_id: ExperimentId::new(at(5), [7; 10]),
        ..Story::new(4, assignment(HashVersion::V2, None)).count
    };
    assert_eq!(
        SOUK.clickhouse().experiment_totals(&count, LIMIT).await.unwrap(),
        ExperimentTotals::default()
    );
}
