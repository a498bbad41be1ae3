//! Cases and their answers.

use super::members::{Members, integer};
use serde::Serialize;
use serde_json::{Value, json};
use statistics::{
    AgainstControl, Arm, CupedSums, Degenerate, HorizonKind, MeanSums, Plan, ProportionSums, RatioSums,
    Sample, Summary, against_control, holm, sample_ratio, visitors_needed, winsorise,
};
use std::io::{BufRead, Result as IoResult, Write};

/// Writes one answer for each line, at once. A line that is not UTF-8 is a case that cannot be read.
pub fn answer_lines(cases: impl BufRead, mut out: impl Write) -> IoResult<()> {
    for line in cases.split(b'\n') {
        let line = line?;
        if !line.trim_ascii().is_empty() {
            writeln!(out, "{}", answer(&line))?;
            // A program that writes a case and waits for its answer must not wait for a full buffer.
            out.flush()?;
        }
    }
    Ok(())
}

/// The answer to a case; for a case that cannot be read, `{"error": …}`.
pub fn answer(line: &[u8]) -> String {
    let case = serde_json::from_slice(line).map_err(|error| error.to_string());
    case.and_then(of_case).unwrap_or_else(|error| json!({ "error": error })).to_string()
}

fn of_case(case: Value) -> Result<Value, String> {
    let mut case = Members::of(case)?;
    let kind = case.text("kind")?;
    match kind.as_str() {
        "mean" => compare(case, mean),
        "proportion" => compare(case, proportion),
        "ratio" => compare(case, ratio),
        "cuped" => compare(case, cuped),
        "srm" => visitors(case),
        "holm" => adjust(case),
        "sampleSize" => plan(case),
        "winsorise" => cap(case),
        _ => Err(format!("there is no kind {kind}")),
    }
}

fn value(answer: impl Serialize) -> Result<Value, String> {
    serde_json::to_value(answer).map_err(|error| error.to_string())
}

fn value_or_reason<T: Serialize>(answer: Result<T, Degenerate>) -> Result<Value, String> {
    answer.map_or_else(|reason| value(json!({ "reason": reason })), value)
}

/// A variant with its name, if it has one.
struct Named<T> {
    variant: Option<Value>,
    read: T,
}

fn variants<T>(
    case: &mut Members,
    fewest: usize,
    read: impl Fn(&mut Members) -> Result<T, String>,
) -> Result<Vec<Named<T>>, String> {
    let list = case.list("variants")?;
    if !(fewest..=100).contains(&list.len()) {
        return Err(format!("variants must be {fewest} to 100"));
    }
    let named = |members: Value| {
        let mut members = Members::of(members)?;
        let named = Named { variant: members.optional("variant"), read: read(&mut members)? };
        members.finish()?;
        Ok(named)
    };
    list.into_iter().map(named).collect()
}

/// A variant of an answer.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Answered<T> {
    #[serde(skip_serializing_if = "Option::is_none")]
    variant: Option<Value>,
    #[serde(flatten)]
    answer: T,
    #[serde(skip_serializing_if = "Option::is_none")]
    against_control: Option<AgainstControl>,
}

fn compare<S: Sample>(
    mut case: Members,
    read: impl Fn(&mut Members) -> Result<Arm<S>, String>,
) -> Result<Value, String> {
    let settings = case.settings()?;
    let list = variants(&mut case, 2, read)?;
    case.finish()?;
    let (names, arms): (Vec<_>, Vec<_>) = list.into_iter().map(|one| (one.variant, one.read)).unzip();
    let treatments = against_control(&arms, &settings).into_iter().map(Some);
    let variant_of = |((variant, arm), against_control): ((Option<Value>, &Arm<S>), _)| Answered::<Summary> {
        variant,
        answer: arm.sums.summary(),
        against_control,
    };
    let comparisons = std::iter::once(None).chain(treatments);
    let variants: Vec<_> = names.into_iter().zip(&arms).zip(comparisons).map(variant_of).collect();
    value(json!({ "variants": variants }))
}

/// Without the member `conversions` a variant has none, and there is no verdict.
fn arm<S>(members: &mut Members, sums: S) -> Result<Arm<S>, String> {
    Ok(Arm { sums, conversions: members.optional_count("conversions")?.unwrap_or(0) })
}

fn mean(members: &mut Members) -> Result<Arm<MeanSums>, String> {
    let sums = MeanSums {
        users: members.count("users")?,
        sum: members.integer("sum")?,
        sum_squares: members.integer("sumSquares")?,
    };
    arm(members, sums)
}

/// A proportion is taken for that of conversions.
fn proportion(members: &mut Members) -> Result<Arm<ProportionSums>, String> {
    let sums = ProportionSums { users: members.count("users")?, sum: members.integer("sum")? };
    let given = members.optional_count("conversions")?;
    let conversions = given.unwrap_or_else(|| u64::try_from(sums.sum).unwrap_or(0));
    Ok(Arm { sums, conversions })
}

fn ratio(members: &mut Members) -> Result<Arm<RatioSums>, String> {
    let sums = RatioSums {
        users: members.count("users")?,
        sum: members.integer("sum")?,
        sum_squares: members.integer("sumSquares")?,
        denominator_sum: members.integer("denominatorSum")?,
        denominator_sum_squares: members.integer("denominatorSumSquares")?,
        cross_product: members.integer("crossProduct")?,
    };
    arm(members, sums)
}

fn cuped(members: &mut Members) -> Result<Arm<CupedSums>, String> {
    let sums = CupedSums {
        users: members.count("users")?,
        sum: members.integer("sum")?,
        sum_squares: members.integer("sumSquares")?,
        covariate_sum: members.integer("covariateSum")?,
        covariate_sum_squares: members.integer("covariateSumSquares")?,
        cross_product: members.integer("crossProduct")?,
    };
    arm(members, sums)
}

fn visitors(mut case: Members) -> Result<Value, String> {
    let settings = case.settings()?;
    let list = variants(&mut case, 2, |members| Ok((members.count("users")?, members.count("weight")?)))?;
    case.finish()?;
    let variants: Vec<(u64, u64)> = list.into_iter().map(|one| one.read).collect();
    value_or_reason(sample_ratio(&variants, &settings))
}

fn adjust(mut case: Members) -> Result<Value, String> {
    let p_values: Option<Vec<f64>> = case.list("pValues")?.iter().map(Value::as_f64).collect();
    case.finish()?;
    match p_values {
        Some(p_values) if p_values.iter().all(|p| (0.0..=1.0).contains(p)) => {
            value(json!({ "adjustedPValues": holm(&p_values) }))
        }
        _ => Err("pValues must be numbers from 0 to 1".to_owned()),
    }
}

/// A plan before the experiment has `mean` and `standardDeviation`, one of a running experiment `users` and
/// `standardError`.
fn plan(mut case: Members) -> Result<Value, String> {
    let settings = case.settings()?;
    let (lift, power) = (case.number("lift")?, case.optional_number("power")?.unwrap_or(0.8));
    let horizon = case.optional("horizon").map_or(Ok(HorizonKind::Sequential), serde_json::from_value);
    let horizon = horizon.map_err(|error| format!("horizon: {error}"))?;
    let plan = if let Some(mean) = case.optional_number("mean")? {
        Plan::before(mean, case.number("standardDeviation")?, lift, power, horizon)
    } else {
        let (users, error) = (case.count("users")?, case.number("standardError")?);
        Plan::running(users, error, lift, power, horizon)
    };
    case.finish()?;
    if !(plan.variance > 0.0 && plan.variance.is_finite() && power > settings.alpha && power < 1.0) {
        return Err("a number is out of its range".to_owned());
    }
    value_or_reason(visitors_needed(&plan, &settings))
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Left {
    users: u64,
    sum: String,
    sum_squares: String,
    capped: u64,
}

fn cap(mut case: Members) -> Result<Value, String> {
    let quantile = case.count("quantile")?;
    let list = variants(&mut case, 1, |members| members.list("values")?.iter().map(integer).collect())?;
    case.finish()?;
    if !(1..=10_000).contains(&quantile) {
        return Err("quantile must be 1 to 10000".to_owned());
    }
    let (names, values): (Vec<_>, Vec<Vec<i128>>) =
        list.into_iter().map(|one| (one.variant, one.read)).unzip();
    let winsorised = match winsorise(&values, quantile) {
        Ok(winsorised) => winsorised,
        Err(reason) => return value(json!({ "reason": reason })),
    };
    let variant_of = |((variant, sums), capped): ((Option<Value>, &MeanSums), &u64)| Answered {
        variant,
        answer: Left {
            users: sums.users,
            sum: sums.sum.to_string(),
            sum_squares: sums.sum_squares.to_string(),
            capped: *capped,
        },
        against_control: None,
    };
    let variants: Vec<_> =
        names.into_iter().zip(&winsorised.sums).zip(&winsorised.capped).map(variant_of).collect();
    value(json!({ "cap": winsorised.cap.to_string(), "variants": variants }))
}
