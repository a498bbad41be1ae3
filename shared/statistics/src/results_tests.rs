#![cfg(test)]

use super::*;
use crate::answer::answer;
use serde_json::{Value, json};

const REVENUE: MeasuredMetric = MeasuredMetric::RevenuePerVisitor;

fn plan(metrics: &[(MeasuredMetric, MetricRole)]) -> ResultsPlan {
    let variant = |key: &str| (key.to_owned(), 5_000);
    ResultsPlan {
        settings: AnalysisSettings::default(),
        variants: vec![variant("control"), variant("a")],
        metrics: metrics.to_vec(),
        currency: "SGD".to_owned(),
    }
}

fn all() -> ResultsPlan {
    let (primary, guardrail) = (MetricRole::Primary, MetricRole::Guardrail);
    plan(&[
        (REVENUE, primary),
        (MeasuredMetric::Conversion, MetricRole::Secondary),
        (MeasuredMetric::AverageOrder, guardrail),
    ])
}

/// 10,000 visitors; the sums are those of the example in docs/statistics.md.
fn arm(key: &str, conversions: u64, revenue: i128, revenue_squares: i128) -> VariantTotals {
    let orders = i128::from(conversions) + 100;
    VariantTotals {
        variant: key.to_owned(),
        users: 10_000,
        conversions,
        orders: ExactSum(orders),
        orders_squares: ExactSum(orders + 200),
        revenue: ExactSum(revenue),
        revenue_squares: ExactSum(revenue_squares),
        revenue_orders: ExactSum(revenue + revenue / 5),
        before: ExactSum(1_000_000),
        before_squares: ExactSum(2_000_000_000),
        before_revenue: ExactSum(1_500_000_000),
        capped_revenue: ExactSum(revenue - 50_000),
        capped_revenue_squares: ExactSum(revenue_squares / 2),
        capped: 9,
        days: Vec::new(),
    }
}

fn totals() -> ExperimentTotals {
    ExperimentTotals {
        variants: vec![
            arm("a", 980, 2_900_000, 11_000_000_000),
            arm("control", 900, 2_500_000, 9_000_000_000),
        ],
        excluded: ExcludedVisitors { multiple_exposures: 3, bots: 5 },
        cap: ExactSum(40_000),
    }
}

fn results(plan: &ResultsPlan, totals: &ExperimentTotals) -> Value {
    // Read from text, as the program's answers are: the reader may round the last digit.
    serde_json::from_str(&serde_json::to_string(&Results::of(plan, totals)).unwrap()).unwrap()
}

fn day(date: &str, users: u64, revenue: i128) -> DayTotals {
    DayTotals { date: date.to_owned(), users, conversions: 1, orders: 2, revenue: ExactSum(revenue) }
}

#[test]
fn revenue_has_its_known_answer() {
    let found = results(&all(), &totals());
    let [control, treatment] = &found["metrics"][0]["variants"].as_array().unwrap()[..] else {
        panic!("{found}")
    };
    assert_eq!(control["variant"], "control");
    assert_eq!(
        (&control["sum"], &control["sumSquares"], &control["mean"], control.get("againstControl")),
        (&json!("2500000"), &json!("9000000000"), &json!(250.0), None)
    );
    let compared = &treatment["againstControl"];
    for (pointer, expected) in [
        ("/lift", 0.16),
        ("/standardError", 0.058_556_698),
        ("/fixed/pValue", 0.006_293_152),
        ("/sequential/pValue", 0.153_413_65),
        ("/bayesian/chanceToBeat", 0.996_856_21),
        ("/adjustedPValue", 0.153_413_65),
    ] {
        let value = compared.pointer(pointer).unwrap().as_f64().unwrap();
        assert!((value - expected).abs() < 1e-5 * expected, "{pointer}: {value}, not {expected}");
    }
    assert_eq!(compared["verdict"], "undecided");
    assert!(compared["visitorsNeeded"]["additionalUsers"].as_u64().unwrap() > 0, "{compared}");
}

/// The program's answers are tested against independent values.
#[test]
fn each_metric_is_what_the_program_answers_for_its_sums() {
    let found = results(&all(), &totals());
    let members = |kind, metric: &Value| {
        let mut case = json!({"kind": kind, "variants": metric["variants"]});
        for (variant, conversions) in case["variants"].as_array_mut().unwrap().iter_mut().zip([900, 980]) {
            let members = variant.as_object_mut().unwrap();
            members.retain(|name, _| {
                !["mean", "standardDeviation", "againstControl", "capped"].contains(&name.as_str())
            });
            members.insert("conversions".to_owned(), json!(conversions));
        }
        case
    };
    let revenue = &found["metrics"][0];
    for (kind, metric) in [
        ("mean", revenue),
        ("proportion", &found["metrics"][1]),
        ("ratio", &found["metrics"][2]),
        ("mean", &revenue["winsorised"]),
        ("cuped", &revenue["cuped"]),
    ] {
        let expected: Value =
            serde_json::from_str(&answer(members(kind, metric).to_string().as_bytes())).unwrap();
        for (index, expected) in expected["variants"].as_array().expect("an answer").iter().enumerate() {
            let mut shown = metric["variants"][index].clone();
            if let Some(compared) = shown.get_mut("againstControl").and_then(Value::as_object_mut) {
                assert!(compared.remove("visitorsNeeded").is_some());
            }
            for (name, value) in expected.as_object().unwrap() {
                assert_eq!(&shown[name], value, "{kind} {name}");
            }
        }
    }
}

#[test]
fn sums_are_exact_strings() {
    let large = i128::from(u64::MAX) * 1_000 + 7;
    let mut counted = totals();
    counted.variants[1].revenue_squares = ExactSum(large);
    let found = results(&all(), &counted);
    assert_eq!(found["metrics"][0]["variants"][0]["sumSquares"], large.to_string());
    let kept: ExperimentTotals = serde_json::from_value(serde_json::to_value(&counted).unwrap()).unwrap();
    assert_eq!(kept, counted);
    assert!(serde_json::from_value::<ExactSum>(json!("1.5")).is_err());
}

#[test]
fn without_visitors_there_are_reasons_and_no_numbers() {
    let found = results(&all(), &ExperimentTotals::default());
    let refused = json!({"reason": "no-users"});
    assert_eq!(found["sampleRatio"], refused);
    for metric in found["metrics"].as_array().unwrap() {
        assert_eq!(metric["variants"][1]["againstControl"], refused);
        assert_eq!(metric["variants"][0]["mean"], Value::Null);
    }
    assert_eq!(found["metrics"][0]["winsorised"], json!({"quantile": 9990, "reason": "no-users"}));
    assert_eq!(found["metrics"][0].get("cuped"), None);
    assert_eq!(
        found["variants"][0],
        json!({"variant": "control", "weight": 5000, "users": 0, "conversions": 0})
    );
    assert_eq!(found["series"], json!([]));
}

#[test]
fn degenerate_sums_have_their_reasons() {
    let reason = |change: fn(&mut VariantTotals), metric: usize| {
        let mut totals = totals();
        change(&mut totals.variants[1]);
        results(&all(), &totals)["metrics"][metric]["variants"][1]["againstControl"].clone()
    };
    let without_orders = |totals: &mut VariantTotals| {
        *totals =
            VariantTotals { variant: totals.variant.clone(), users: 10_000, ..VariantTotals::default() };
    };
    for (metric, expected) in [(0, "zero-baseline"), (1, "zero-baseline"), (2, "zero-denominator")] {
        assert_eq!(reason(without_orders, metric), json!({"reason": expected}), "{metric}");
    }
    let everybody = |totals: &mut VariantTotals| totals.conversions = totals.users;
    assert_eq!(reason(everybody, 1), json!({"reason": "zero-variance"}));
    let alike = |totals: &mut VariantTotals| totals.revenue_squares = ExactSum(625_000_000);
    assert_eq!(reason(alike, 0), json!({"reason": "zero-variance"}));
}

#[test]
fn a_cap_that_would_leave_no_revenue_has_a_reason() {
    let winsorised = |cap: i128| {
        let totals = ExperimentTotals { cap: ExactSum(cap), ..totals() };
        results(&all(), &totals)["metrics"][0]["winsorised"].clone()
    };
    assert_eq!(winsorised(0), json!({"quantile": 9990, "reason": "zero-cap"}));
    assert_eq!(winsorised(40_000)["cap"], "40000");
    assert_eq!(winsorised(40_000)["variants"][1]["capped"], 9);
}

#[test]
fn there_is_cuped_only_where_there_is_a_time_before() {
    let mut totals = totals();
    for arm in &mut totals.variants {
        (arm.before, arm.before_squares, arm.before_revenue) = (ExactSum(0), ExactSum(0), ExactSum(0));
    }
    assert_eq!(results(&all(), &totals)["metrics"][0].get("cuped"), None);
}

#[test]
fn a_mismatch_of_the_visitors_is_found() {
    assert_eq!(results(&all(), &totals())["sampleRatio"]["mismatch"], false);
    let mut totals = totals();
    totals.variants[0].users = 9_500;
    let ratio = &results(&all(), &totals)["sampleRatio"];
    assert_eq!(ratio["mismatch"], true);
    // 250² / 9,750, twice.
    assert!((ratio["statistic"].as_f64().unwrap() - 12.820_512_8).abs() < 1e-6, "{ratio}");
}

#[test]
fn variants_without_totals_have_no_visitors_and_others_are_left_out() {
    let mut totals = totals();
    totals.variants[0].variant = "of-another-experiment".to_owned();
    let found = results(&all(), &totals);
    assert_eq!(found["variants"][1], json!({"variant": "a", "weight": 5000, "users": 0, "conversions": 0}));
    assert_eq!(found["metrics"][0]["variants"].as_array().unwrap().len(), 2);
}

#[test]
fn a_guardrail_is_worse_by_its_verdict_alone() {
    let worse = |role, conversions: u64| {
        let plan = plan(&[(MeasuredMetric::Conversion, role)]);
        let arms = [arm("control", 900, 0, 0), arm("a", conversions, 0, 0)];
        let totals = ExperimentTotals { variants: arms.to_vec(), ..ExperimentTotals::default() };
        Results::of(&plan, &totals).worse_guardrails()
    };
    assert_eq!(worse(MetricRole::Guardrail, 600), [MeasuredMetric::Conversion]);
    assert_eq!(worse(MetricRole::Primary, 600), []);
    assert_eq!(worse(MetricRole::Guardrail, 1_300), []);
    assert_eq!(worse(MetricRole::Guardrail, 860), []);
    // Fewer than 200 conversions decide nothing.
    assert_eq!(worse(MetricRole::Guardrail, 199), []);
}

#[test]
fn a_day_names_each_variant() {
    let mut totals = totals();
    totals.variants[0].days = vec![day("2026-11-22", 5, 70)];
    totals.variants[1].days = vec![day("2026-11-21", 4, 30), day("2026-11-22", 6, 0)];
    let found = results(&all(), &totals);
    assert_eq!(
        found["series"],
        json!([
            {"date": "2026-11-21", "variants": [
                {"variant": "control", "users": 4, "conversions": 1, "orders": 2, "revenue": "30"},
                {"variant": "a", "users": 0, "conversions": 0, "orders": 0, "revenue": "0"}]},
            {"date": "2026-11-22", "variants": [
                {"variant": "control", "users": 6, "conversions": 1, "orders": 2, "revenue": "0"},
                {"variant": "a", "users": 5, "conversions": 1, "orders": 2, "revenue": "70"}]},
        ])
    );
}
