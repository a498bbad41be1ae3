//! Simulated experiments: how often verdicts, intervals and mismatches are wrong. The random numbers are the same in each
//! run, so that each figure is too.

#![cfg(test)]

use crate::{
    AnalysisSettings, CupedSums, ExperimentVerdict, FixedHorizon, Lift, MeanSums, ProportionSums, RatioSums,
    Sample, SequentialTest, chance::Chance, exact::float, holm, sample_ratio, verdict,
};

const EXPERIMENTS: u64 = 1_000;
const VISITORS: u64 = 10_000;

/// The bounds of a share of 5 % in 1,000 experiments: three standard deviations.
const FIVE_PER_CENT: std::ops::Range<u64> = 29..72;

/// Orders of a visitor and what was paid for them, in minor units.
struct Purchase {
    orders: i128,
    revenue: i128,
}

/// Visitors who buy at this rate, some of them more than once. A hundred prices at the quantiles of a skewed distribution:
/// log-normal with σ = 1, so that the dearest costs 170 times as much as the cheapest.
struct Shop {
    rate: f64,
    prices: Vec<i128>,
}

impl Shop {
    fn new(rate: f64, level: f64) -> Self {
        let price = |step: i32| level * crate::normal_quantile(1.0 - (f64::from(step) + 0.5) / 100.0).exp();
        #[expect(clippy::cast_possible_truncation, reason = "minor units")]
        let prices = (0..100).map(|step| price(step).round() as i128).collect();
        Self { rate, prices }
    }

    fn visit(&self, chance: &mut Chance) -> Purchase {
        let mut purchase = Purchase { orders: 0, revenue: 0 };
        if chance.happens(self.rate) {
            let orders = 1 + i128::from(chance.happens(0.2)) + i128::from(chance.happens(0.05));
            for _ in 0..orders {
                purchase.orders += 1;
                purchase.revenue += self.prices[usize::try_from(chance.below(100)).unwrap()];
            }
        }
        purchase
    }

    /// What a visitor spends on average.
    fn mean_revenue(&self) -> f64 {
        let sum: i128 = self.prices.iter().sum();
        float(u64::try_from(sum).unwrap()) / 100.0 * self.rate * 1.25
    }
}

/// A variant's sums, as they grow.
#[derive(Clone, Copy)]
struct Growing {
    conversions: u64,
    revenue: MeanSums,
    order_value: RatioSums,
}

impl Growing {
    fn new() -> Self {
        let order_value = RatioSums {
            users: 0,
            sum: 0,
            sum_squares: 0,
            denominator_sum: 0,
            denominator_sum_squares: 0,
            cross_product: 0,
        };
        Self { conversions: 0, revenue: MeanSums { users: 0, sum: 0, sum_squares: 0 }, order_value }
    }

    fn add(&mut self, purchase: &Purchase) {
        let Purchase { orders, revenue } = purchase;
        self.conversions += u64::from(*orders > 0);
        self.revenue.users += 1;
        self.revenue.sum += revenue;
        self.revenue.sum_squares += revenue * revenue;
        let order_value = &mut self.order_value;
        order_value.users += 1;
        order_value.sum += revenue;
        order_value.sum_squares += revenue * revenue;
        order_value.denominator_sum += orders;
        order_value.denominator_sum_squares += orders * orders;
        order_value.cross_product += revenue * orders;
    }

    fn conversion(&self) -> ProportionSums {
        ProportionSums { users: self.revenue.users, sum: i128::from(self.conversions) }
    }
}

/// The verdict on one treatment, without the parts of a comparison that do not decide.
fn look<S: Sample>(sums: [&S; 2], conversions: u64, settings: &AnalysisSettings) -> ExperimentVerdict {
    let Ok(lift) = S::lift(sums[0], sums[1]) else { return ExperimentVerdict::Undecided };
    let adjusted = holm(&[SequentialTest::of(&lift, settings).p_value]);
    verdict(lift.lift, adjusted[0], conversions, settings)
}

/// The number of experiments without an effect that are ever decided, with a look after each visitor.
fn ever_decided(
    experiments: u64,
    shop: &Shop,
    seed: u64,
    settings: &AnalysisSettings,
    look: impl Fn(&[Growing; 2], u64, &AnalysisSettings) -> ExperimentVerdict,
) -> u64 {
    let mut chance = Chance::seeded(seed);
    let mut is_decided = || {
        let mut arms = [Growing::new(); 2];
        (0..VISITORS).any(|_| {
            arms[usize::from(chance.happens(0.5))].add(&shop.visit(&mut chance));
            let conversions = arms[0].conversions.min(arms[1].conversions);
            // A look before the minimum cannot decide: `nothing_decides_before_the_least_number_of_conversions`.
            conversions >= settings.minimum_conversions
                && look(&arms, conversions, settings) != ExperimentVerdict::Undecided
        })
    };
    (0..experiments).map(|_| u64::from(is_decided())).sum()
}

fn conversion(arms: &[Growing; 2], conversions: u64, settings: &AnalysisSettings) -> ExperimentVerdict {
    look([&arms[0].conversion(), &arms[1].conversion()], conversions, settings)
}

fn revenue(arms: &[Growing; 2], conversions: u64, settings: &AnalysisSettings) -> ExperimentVerdict {
    look([&arms[0].revenue, &arms[1].revenue], conversions, settings)
}

fn order_value(arms: &[Growing; 2], conversions: u64, settings: &AnalysisSettings) -> ExperimentVerdict {
    look([&arms[0].order_value, &arms[1].order_value], conversions, settings)
}

#[test]
fn a_look_after_every_visitor_decides_at_most_five_per_cent_of_conversions_without_an_effect() {
    let wrong =
        ever_decided(EXPERIMENTS, &Shop::new(0.3, 2_000.0), 12, &AnalysisSettings::default(), conversion);
    println!("conversion of 0.3: {wrong} of {EXPERIMENTS} decided");
    assert!(wrong <= 50, "{wrong}");
}

#[test]
fn a_look_after_every_visitor_decides_at_most_five_per_cent_of_revenues_without_an_effect() {
    let wrong =
        ever_decided(EXPERIMENTS, &Shop::new(0.1, 2_000.0), 13, &AnalysisSettings::default(), revenue);
    println!("revenue per visitor: {wrong} of {EXPERIMENTS} decided");
    assert!(wrong <= 50, "{wrong}");
}

#[test]
fn a_look_after_every_visitor_decides_at_most_five_per_cent_of_order_values_without_an_effect() {
    let wrong =
        ever_decided(EXPERIMENTS, &Shop::new(0.1, 2_000.0), 14, &AnalysisSettings::default(), order_value);
    println!("average order: {wrong} of {EXPERIMENTS} decided");
    assert!(wrong <= 50, "{wrong}");
}

/// Why there is no verdict before 200 conversions: the confidence sequence is asymptotic.
#[test]
fn looks_from_the_first_sale_on_would_decide_too_often() {
    let settings = AnalysisSettings { minimum_conversions: 1, ..AnalysisSettings::default() };
    let wrong = ever_decided(200, &Shop::new(0.01, 2_000.0), 15, &settings, conversion);
    println!("conversion of 0.01, looks from the first sale on: {wrong} of 200 decided");
    assert!(wrong > 20, "{wrong}");
}

/// A metric of an experiment.
type LiftOf = fn(&[Growing; 2]) -> Lift;

/// What holds after the last visitor, of 1,000 experiments.
#[derive(Debug, Default)]
struct Endings {
    /// The fixed horizon's p is below 0.05.
    significant: u64,
    /// The fixed horizon's interval contains the true lift.
    covered: u64,
    /// The sequential interval contains the true lift.
    sequentially_covered: u64,
}

fn endings(shops: [&Shop; 2], true_lift: f64, seed: u64, lift: impl Fn(&[Growing; 2]) -> Lift) -> Endings {
    let mut chance = Chance::seeded(seed);
    let settings = AnalysisSettings::default();
    let mut endings = Endings::default();
    for _ in 0..EXPERIMENTS {
        let mut arms = [Growing::new(); 2];
        for _ in 0..VISITORS {
            let arm = usize::from(chance.happens(0.5));
            arms[arm].add(&shops[arm].visit(&mut chance));
        }
        let lift = lift(&arms);
        let (fixed, sequential) = (FixedHorizon::of(&lift, &settings), SequentialTest::of(&lift, &settings));
        let contains = |[low, high]: [f64; 2]| u64::from(low <= true_lift && true_lift <= high);
        endings.significant += u64::from(fixed.p_value < 0.05);
        endings.covered += contains(fixed.interval);
        endings.sequentially_covered += contains(sequential.interval);
    }
    endings
}

fn conversion_lift(arms: &[Growing; 2]) -> Lift {
    Sample::lift(&arms[0].conversion(), &arms[1].conversion()).unwrap()
}

fn revenue_lift(arms: &[Growing; 2]) -> Lift {
    Sample::lift(&arms[0].revenue, &arms[1].revenue).unwrap()
}

fn order_value_lift(arms: &[Growing; 2]) -> Lift {
    Sample::lift(&arms[0].order_value, &arms[1].order_value).unwrap()
}

/// The fixed horizon is wrong in 5 % of the experiments without an effect, which is what it promises for one look.
#[test]
fn one_look_at_the_end_finds_five_per_cent_of_effects_that_are_not_there() {
    let shop = Shop::new(0.1, 2_000.0);
    let metrics: [(&str, LiftOf); 3] =
        [("conversion", conversion_lift), ("revenue", revenue_lift), ("average order", order_value_lift)];
    for ((metric, lift), seed) in metrics.into_iter().zip(21..) {
        let endings = endings([&shop; 2], 0.0, seed, lift);
        println!("{metric}: {endings:?}");
        assert!(FIVE_PER_CENT.contains(&endings.significant), "{metric}: {endings:?}");
    }
}

#[test]
fn a_known_lift_is_within_its_interval() {
    let (control, treatment) = (Shop::new(0.1, 2_000.0), Shop::new(0.12, 2_300.0));
    let revenue = treatment.mean_revenue() / control.mean_revenue() - 1.0;
    let orders = revenue / 1.2 - 0.2 / 1.2;
    let metrics: [(&str, f64, LiftOf); 3] = [
        ("conversion", 0.2, conversion_lift),
        ("revenue", revenue, revenue_lift),
        ("average order", orders, order_value_lift),
    ];
    for ((metric, true_lift, lift), seed) in metrics.into_iter().zip(31..) {
        let endings = endings([&control, &treatment], true_lift, seed, lift);
        println!("{metric}, lift {true_lift:.4}: {endings:?}");
        assert!(FIVE_PER_CENT.contains(&(EXPERIMENTS - endings.covered)), "{metric}: {endings:?}");
        assert!(endings.sequentially_covered >= 950, "{metric}: {endings:?}");
    }
}

/// Half of what a visitor spends is what they spent before, so that CUPED needs fewer visitors; it finds no more effects
/// that are not there, and misses no more lifts.
#[test]
fn cuped_narrows_the_interval_and_keeps_its_promise() {
    let mut chance = Chance::seeded(51);
    let settings = AnalysisSettings::default();
    let (mut missed, mut narrower) = (0, 0);
    for _ in 0..EXPERIMENTS {
        let none = CupedSums {
            users: 0,
            sum: 0,
            sum_squares: 0,
            covariate_sum: 0,
            covariate_sum_squares: 0,
            cross_product: 0,
        };
        let mut arms = [none; 2];
        for _ in 0..1_000 {
            let (arm, before) = (usize::from(chance.happens(0.5)), i128::from(chance.below(2_000)));
            // 1,000 and 1,100 on average.
            let spent = before.midpoint(i128::from(chance.below(2_000)));
            let spent = if arm == 1 { spent * 11 / 10 } else { spent };
            let sums = &mut arms[arm];
            sums.users += 1;
            sums.sum += spent;
            sums.sum_squares += spent * spent;
            sums.covariate_sum += before;
            sums.covariate_sum_squares += before * before;
            sums.cross_product += spent * before;
        }
        let lift = CupedSums::lift(&arms[0], &arms[1]).unwrap();
        let [low, high] = FixedHorizon::of(&lift, &settings).interval;
        missed += u64::from(low > 0.1 || high < 0.1);
        let [control, treatment] =
            arms.map(|arm| MeanSums { users: arm.users, sum: arm.sum, sum_squares: arm.sum_squares });
        let plain = MeanSums::lift(&control, &treatment).unwrap();
        narrower += u64::from(lift.standard_error < 0.8 * plain.standard_error);
    }
    println!("CUPED: {missed} of {EXPERIMENTS} lifts missed");
    assert!(FIVE_PER_CENT.contains(&missed), "{missed}");
    assert_eq!(narrower, EXPERIMENTS);
}

/// The number of experiments with 100,000 visitors where the visitors do not agree with the weights, if this share of one
/// variant's exposures is lost.
fn mismatches(lost: f64, seed: u64) -> u64 {
    let mut chance = Chance::seeded(seed);
    let mut is_mismatch = || {
        let mut users = [0, 0];
        for _ in 0..100_000 {
            let arm = usize::from(chance.happens(0.5));
            users[arm] += u64::from(arm == 0 || !chance.happens(lost));
        }
        let variants = [(users[0], 5_000), (users[1], 5_000)];
        sample_ratio(&variants, &AnalysisSettings::default()).unwrap().mismatch
    };
    (0..EXPERIMENTS).map(|_| u64::from(is_mismatch())).sum()
}

#[test]
fn a_loss_of_five_per_cent_of_one_variants_exposures_is_always_found() {
    assert_eq!(mismatches(0.05, 41), EXPERIMENTS);
}

#[test]
fn a_mismatch_is_rarely_found_where_none_is_lost() {
    let wrong = mismatches(0.0, 42);
    println!("sample ratio: {wrong} of {EXPERIMENTS} mismatches without a loss");
    assert!(wrong <= 4, "{wrong}");
}
