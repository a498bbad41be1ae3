//! The results of an experiment: everything that its totals say.

use crate::{
    comparison::{AgainstControl, Arm, Comparison, against_control},
    cuped::CupedSums,
    lift::{Degenerate, Sample},
    sample_ratio::{SampleRatio, sample_ratio},
    sample_size::{HorizonKind, Plan, VisitorsNeeded, visitors_needed},
    settings::AnalysisSettings,
    sums::{MeanSums, ProportionSums, RatioSums},
    totals::{DayTotals, ExactSum, ExcludedVisitors, ExperimentTotals, VariantTotals, WINSORISE_QUANTILE},
    verdict::ExperimentVerdict,
};
use serde::Serialize;
use std::collections::BTreeMap;

/// The probability with which [`ComparedVariant::visitors_needed`] decide, if the lift is the one that was found.
const POWER: f64 = 0.8;

/// What is measured of each visitor.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum MeasuredMetric {
    /// Whether they ordered.
    Conversion,
    /// What they spent.
    RevenuePerVisitor,
    /// What they spent in an order.
    AverageOrder,
}

/// The kind of a metric.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum MetricKind {
    /// Yes or no.
    Proportion,
    /// A number.
    Mean,
    /// A quotient of two sums.
    Ratio,
}

/// What a metric is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum MetricRole {
    /// The experiment is made for it.
    Primary,
    /// It is shown beside the primary one.
    Secondary,
    /// It ends the experiment when it becomes worse.
    Guardrail,
}

impl MeasuredMetric {
    fn kind(self) -> MetricKind {
        match self {
            Self::Conversion => MetricKind::Proportion,
            Self::RevenuePerVisitor => MetricKind::Mean,
            Self::AverageOrder => MetricKind::Ratio,
        }
    }
}

/// What is to be computed.
#[derive(Debug, Clone)]
pub struct ResultsPlan {
    /// The settings.
    pub settings: AnalysisSettings,
    /// The variants with their weights, the control first.
    pub variants: Vec<(String, u64)>,
    /// The metrics with their roles.
    pub metrics: Vec<(MeasuredMetric, MetricRole)>,
    /// The currency of revenue.
    pub currency: String,
}

/// A value, or why there is none.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(untagged)]
pub enum Computed<T> {
    /// There is one.
    Value(T),
    /// There is none.
    Refused {
        /// Why.
        reason: Degenerate,
    },
}

impl<T> From<Result<T, Degenerate>> for Computed<T> {
    fn from(result: Result<T, Degenerate>) -> Self {
        match result {
            Ok(value) => Self::Value(value),
            Err(reason) => Self::Refused { reason },
        }
    }
}

/// The results of an experiment.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Results {
    /// The settings.
    pub settings: AnalysisSettings,
    /// The visitors of each variant.
    pub variants: Vec<VariantCount>,
    /// Whether the visitors are shared as the weights say.
    pub sample_ratio: Computed<SampleRatio>,
    /// Each metric.
    pub metrics: Vec<MetricResults>,
    /// Who is left out.
    pub excluded: ExcludedVisitors,
    /// What was new on each day with anything new.
    pub series: Vec<SeriesDay>,
}

/// The visitors of a variant.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct VariantCount {
    /// The variant's key.
    pub variant: String,
    /// Its share of the visitors, in 1/10,000.
    pub weight: u64,
    /// The number of visitors.
    pub users: u64,
    /// The number of visitors with an order.
    pub conversions: u64,
}

/// A metric in each variant.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct MetricResults {
    /// The metric.
    pub metric: MeasuredMetric,
    /// What it is for.
    pub role: MetricRole,
    /// Its kind.
    pub kind: MetricKind,
    /// The currency of its sums, in minor units.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub currency: Option<String>,
    /// Each variant, the control first.
    pub variants: Vec<VariantResults>,
    /// The same with large values capped.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub winsorised: Option<WinsorisedResults>,
    /// The same, less what the revenue before the experiment explains; only if there was some.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cuped: Option<CupedResults>,
}

/// A metric whose values above a quantile count as the quantile.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct WinsorisedResults {
    /// The quantile, in 1/10,000.
    pub quantile: u64,
    /// The results.
    #[serde(flatten)]
    pub found: Computed<CappedResults>,
}

/// The results with capped values.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct CappedResults {
    /// The largest value that is left.
    pub cap: ExactSum,
    /// Each variant, the control first.
    pub variants: Vec<VariantResults>,
}

/// A metric with its covariate.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct CupedResults {
    /// Each variant, the control first.
    pub variants: Vec<VariantResults>,
}

/// A metric in a variant. Members that the kind has no use for are absent.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct VariantResults {
    /// The variant's key.
    pub variant: String,
    /// The number of visitors.
    pub users: u64,
    /// The sum of the values.
    pub sum: ExactSum,
    /// The sum of their squares.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sum_squares: Option<ExactSum>,
    /// The sum of the denominators.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub denominator_sum: Option<ExactSum>,
    /// The sum of their squares.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub denominator_sum_squares: Option<ExactSum>,
    /// The sum of the covariate.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub covariate_sum: Option<ExactSum>,
    /// The sum of its squares.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub covariate_sum_squares: Option<ExactSum>,
    /// The sum of the values times the denominators, or times the covariate.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cross_product: Option<ExactSum>,
    /// The number of visitors whose value was above the cap.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub capped: Option<u64>,
    /// Null where there is none.
    pub mean: Option<f64>,
    /// Null where there is none.
    pub standard_deviation: Option<f64>,
    /// The comparison; the control has none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub against_control: Option<Computed<ComparedVariant>>,
}

/// A treatment against the control.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ComparedVariant {
    /// The comparison.
    #[serde(flatten)]
    pub comparison: Comparison,
    /// The visitors of both variants with whom the sequential interval would exclude 0 in four of five cases, if the lift
    /// is the one that was found.
    pub visitors_needed: Computed<VisitorsNeeded>,
}

/// What was new on a day.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SeriesDay {
    /// The day in UTC, as 2026-11-22.
    pub date: String,
    /// Each variant, the control first.
    pub variants: Vec<SeriesVariant>,
}

/// What was new on a day in a variant.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SeriesVariant {
    /// The variant's key.
    pub variant: String,
    /// Visitors who were first exposed.
    pub users: u64,
    /// Visitors with a first order.
    pub conversions: u64,
    /// Orders.
    pub orders: u64,
    /// Their revenue.
    pub revenue: ExactSum,
}

impl Results {
    /// The results. Totals of variants that the plan does not have are left out.
    pub fn of(plan: &ResultsPlan, totals: &ExperimentTotals) -> Self {
        let settings = &plan.settings;
        let arms: Vec<VariantTotals> = plan.variants.iter().map(|(key, _)| of_variant(key, totals)).collect();
        let counts = plan.variants.iter().zip(&arms);
        let counted: Vec<(u64, u64)> =
            counts.clone().map(|((_, weight), totals)| (totals.users, *weight)).collect();
        Self {
            settings: *settings,
            variants: counts.map(|((_, weight), totals)| VariantCount::of(totals, *weight)).collect(),
            sample_ratio: sample_ratio(&counted, settings).into(),
            metrics: plan
                .metrics
                .iter()
                .map(|(metric, role)| MetricResults::of(*metric, *role, &arms, totals.cap, plan))
                .collect(),
            excluded: totals.excluded,
            series: series(&arms),
        }
    }

    /// The guardrails that are shown to be worse in a variant. It is the verdict that tells, so that looking often ends no
    /// experiment by chance.
    pub fn worse_guardrails(&self) -> Vec<MeasuredMetric> {
        let is_worse = |variant: &VariantResults| match &variant.against_control {
            Some(Computed::Value(compared)) => compared.comparison.verdict == ExperimentVerdict::Worse,
            _ => false,
        };
        let guardrails = self.metrics.iter().filter(|metric| metric.role == MetricRole::Guardrail);
        guardrails.filter(|metric| metric.variants.iter().any(is_worse)).map(|metric| metric.metric).collect()
    }
}

/// The totals of a variant; nothing but zeros if nobody was exposed to it.
fn of_variant(key: &str, totals: &ExperimentTotals) -> VariantTotals {
    let found = totals.variants.iter().find(|totals| totals.variant == key);
    found.cloned().unwrap_or_else(|| VariantTotals { variant: key.to_owned(), ..VariantTotals::default() })
}

impl VariantCount {
    fn of(totals: &VariantTotals, weight: u64) -> Self {
        let VariantTotals { variant, users, conversions, .. } = totals;
        Self { variant: variant.clone(), weight, users: *users, conversions: *conversions }
    }
}

impl MetricResults {
    fn of(
        metric: MeasuredMetric,
        role: MetricRole,
        arms: &[VariantTotals],
        cap: ExactSum,
        plan: &ResultsPlan,
    ) -> Self {
        let settings = &plan.settings;
        let is_revenue = metric == MeasuredMetric::RevenuePerVisitor;
        let has_before = arms.iter().any(|arm| arm.before_squares > ExactSum(0));
        Self {
            metric,
            role,
            kind: metric.kind(),
            currency: (metric != MeasuredMetric::Conversion).then(|| plan.currency.clone()),
            variants: match metric {
                MeasuredMetric::Conversion => compared(arms, settings, conversion),
                MeasuredMetric::RevenuePerVisitor => compared(arms, settings, revenue),
                MeasuredMetric::AverageOrder => compared(arms, settings, average_order),
            },
            winsorised: is_revenue.then(|| WinsorisedResults {
                quantile: WINSORISE_QUANTILE,
                found: winsorised(arms, cap, settings).into(),
            }),
            cuped: (is_revenue && has_before)
                .then(|| CupedResults { variants: compared(arms, settings, adjusted_revenue) }),
        }
    }
}

/// If more than a thousandth of the visitors bought nothing less than everybody, there is a cap above 0. Else capping would
/// leave no revenue at all.
fn winsorised(
    arms: &[VariantTotals],
    cap: ExactSum,
    settings: &AnalysisSettings,
) -> Result<CappedResults, Degenerate> {
    if arms.iter().all(|arm| arm.users == 0) {
        return Err(Degenerate::NoUsers);
    }
    if cap <= ExactSum(0) && arms.iter().any(|arm| arm.revenue > ExactSum(0)) {
        return Err(Degenerate::ZeroCap);
    }
    Ok(CappedResults { cap, variants: compared(arms, settings, capped_revenue) })
}

fn conversion(totals: &VariantTotals) -> (ProportionSums, VariantResults) {
    let sum = i128::from(totals.conversions);
    let shown = VariantResults { sum: ExactSum(sum), ..VariantResults::default() };
    (ProportionSums { users: totals.users, sum }, shown)
}

fn mean(users: u64, sum: ExactSum, sum_squares: ExactSum) -> (MeanSums, VariantResults) {
    let shown = VariantResults { sum, sum_squares: Some(sum_squares), ..VariantResults::default() };
    (MeanSums { users, sum: sum.0, sum_squares: sum_squares.0 }, shown)
}

fn revenue(totals: &VariantTotals) -> (MeanSums, VariantResults) {
    mean(totals.users, totals.revenue, totals.revenue_squares)
}

fn capped_revenue(totals: &VariantTotals) -> (MeanSums, VariantResults) {
    let (sums, shown) = mean(totals.users, totals.capped_revenue, totals.capped_revenue_squares);
    (sums, VariantResults { capped: Some(totals.capped), ..shown })
}

fn average_order(totals: &VariantTotals) -> (RatioSums, VariantResults) {
    let sums = RatioSums {
        users: totals.users,
        sum: totals.revenue.0,
        sum_squares: totals.revenue_squares.0,
        denominator_sum: totals.orders.0,
        denominator_sum_squares: totals.orders_squares.0,
        cross_product: totals.revenue_orders.0,
    };
    let shown = VariantResults {
        sum: totals.revenue,
        sum_squares: Some(totals.revenue_squares),
        denominator_sum: Some(totals.orders),
        denominator_sum_squares: Some(totals.orders_squares),
        cross_product: Some(totals.revenue_orders),
        ..VariantResults::default()
    };
    (sums, shown)
}

fn adjusted_revenue(totals: &VariantTotals) -> (CupedSums, VariantResults) {
    let sums = CupedSums {
        users: totals.users,
        sum: totals.revenue.0,
        sum_squares: totals.revenue_squares.0,
        covariate_sum: totals.before.0,
        covariate_sum_squares: totals.before_squares.0,
        cross_product: totals.before_revenue.0,
    };
    let shown = VariantResults {
        sum: totals.revenue,
        sum_squares: Some(totals.revenue_squares),
        covariate_sum: Some(totals.before),
        covariate_sum_squares: Some(totals.before_squares),
        cross_product: Some(totals.before_revenue),
        ..VariantResults::default()
    };
    (sums, shown)
}

/// Each variant with its sums, its mean, and its comparison with the control.
fn compared<S: Sample>(
    arms: &[VariantTotals],
    settings: &AnalysisSettings,
    sums: impl Fn(&VariantTotals) -> (S, VariantResults),
) -> Vec<VariantResults> {
    let (samples, shown): (Vec<Arm<S>>, Vec<VariantResults>) = arms
        .iter()
        .map(|totals| {
            let (sums, shown) = sums(totals);
            let summary = sums.summary();
            let shown = VariantResults {
                variant: totals.variant.clone(),
                users: totals.users,
                mean: summary.mean,
                standard_deviation: summary.standard_deviation,
                ..shown
            };
            (Arm { sums, conversions: totals.conversions }, shown)
        })
        .unzip();
    let control_users = arms.first().map_or(0, |control| control.users);
    let comparisons = against_control(&samples, settings).into_iter().map(Some);
    let with_comparison = |(shown, comparison): (VariantResults, Option<AgainstControl>)| {
        let users = control_users + shown.users;
        let against_control = comparison.map(|comparison| match comparison {
            AgainstControl::Refused { reason } => Computed::Refused { reason },
            AgainstControl::Compared(comparison) => {
                Computed::Value(ComparedVariant::of(comparison, users, settings))
            }
        });
        VariantResults { against_control, ..shown }
    };
    shown.into_iter().zip(std::iter::once(None).chain(comparisons)).map(with_comparison).collect()
}

impl ComparedVariant {
    fn of(comparison: Comparison, users: u64, settings: &AnalysisSettings) -> Self {
        let Comparison { lift, standard_error, .. } = comparison;
        let plan = Plan::running(users, standard_error, lift, POWER, HorizonKind::Sequential);
        Self { comparison, visitors_needed: visitors_needed(&plan, settings).into() }
    }
}

fn series(arms: &[VariantTotals]) -> Vec<SeriesDay> {
    let mut days: BTreeMap<&str, Vec<SeriesVariant>> = BTreeMap::new();
    let nothing = |totals: &VariantTotals| SeriesVariant::of(totals, &DayTotals::default());
    for (index, totals) in arms.iter().enumerate() {
        for day in &totals.days {
            let variants = days.entry(&day.date).or_insert_with(|| arms.iter().map(nothing).collect());
            variants[index] = SeriesVariant::of(totals, day);
        }
    }
    days.into_iter().map(|(date, variants)| SeriesDay { date: date.to_owned(), variants }).collect()
}

impl SeriesVariant {
    fn of(totals: &VariantTotals, day: &DayTotals) -> Self {
        let DayTotals { users, conversions, orders, revenue, .. } = *day;
        Self { variant: totals.variant.clone(), users, conversions, orders, revenue }
    }
}

#[path = "results_tests.rs"]
mod tests;
