//! Distributions and answers against values of 60 digits; reference/make.py computes them.

#![cfg(test)]

use crate::{
    answer::{answer, answer_lines},
    normal, normal_above, normal_quantile, student_quantile, student_two_sided,
};
use serde_json::{Value, json};

/// The relative error of a distribution.
const DISTRIBUTION: f64 = 1e-11;

/// The relative error of an answer.
const TOLERANCE: f64 = 1e-9;

/// The relative error of each line of functions.txt, with the line.
fn errors() -> Vec<(f64, &'static str)> {
    let line = |line: &'static str| {
        let words: Vec<&str> = line.split(' ').collect();
        let numbers: Vec<f64> = words[1..].iter().map(|word| word.parse().unwrap()).collect();
        let found = match (words[0], &numbers[..]) {
            ("normal_above", [z, _]) => normal_above(*z),
            ("normal_quantile", [p, _]) => normal_quantile(*p),
            ("mean_excess", [z, _]) => normal::mean_excess(*z),
            ("student_two_sided", [t, degrees, _]) => student_two_sided(*t, *degrees),
            ("student_quantile", [p, degrees, _]) => student_quantile(*p, *degrees),
            ("chi_square_above", [x, _, _]) => crate::chi_square_above(*x, words[2].parse().unwrap()),
            other => panic!("{other:?}"),
        };
        let expected = numbers[numbers.len() - 1];
        // The median's quantile is 0.
        let scale =
            if expected.abs() < 1e-15 && words[0] == "normal_quantile" { 1.0 } else { expected.abs() };
        ((found - expected).abs() / scale, line)
    };
    include_str!("../reference/functions.txt").lines().map(line).collect()
}

#[test]
fn distributions_have_eleven_digits_down_to_1e_300_and_up_to_two_billion_degrees_of_freedom() {
    let errors = errors();
    assert!(errors.len() > 400, "{}", errors.len());
    assert!(errors.iter().any(|(_, line)| line.ends_with("e-301") || line.ends_with("e-300")));
    for (error, line) in &errors {
        assert!(*error < DISTRIBUTION, "{line}: {error:e}");
    }
    for function in [
        "normal_above",
        "normal_quantile",
        "mean_excess",
        "student_two_sided",
        "student_quantile",
        "chi_square_above",
    ] {
        let worst = errors.iter().filter(|(_, line)| line.starts_with(function));
        let (error, line) = worst.max_by(|a, b| a.0.total_cmp(&b.0)).unwrap();
        println!("{function}: at most {error:.1e}, at {line}");
    }
}

/// The differences of an answer to what is expected, with their paths.
fn differences(path: &str, expected: &Value, found: &Value) -> Vec<String> {
    match (expected, found) {
        (Value::Object(expected), Value::Object(found)) => {
            let names: std::collections::BTreeSet<&String> = expected.keys().chain(found.keys()).collect();
            let of = |name: &String| (expected.get(name).cloned(), found.get(name).cloned());
            let inner = |name: &String| match of(name) {
                (Some(expected), Some(found)) => differences(&format!("{path}.{name}"), &expected, &found),
                (expected, found) => vec![format!("{path}.{name}: {found:?}, not {expected:?}")],
            };
            names.into_iter().flat_map(inner).collect()
        }
        (Value::Array(expected), Value::Array(found)) if expected.len() == found.len() => {
            // The end of an interval may be much smaller than its centre, from which it is subtracted.
            let largest = expected.iter().filter_map(Value::as_f64).fold(0.0, |a: f64, b| a.max(b.abs()));
            let scale = if path.ends_with("interval") { largest } else { 0.0 };
            let pairs = expected.iter().zip(found).enumerate();
            pairs
                .flat_map(|(index, (expected, found))| match (expected.as_f64(), found.as_f64()) {
                    (Some(expected), Some(found)) if (expected - found).abs() <= TOLERANCE * scale => {
                        Vec::new()
                    }
                    _ => differences(&format!("{path}[{index}]"), expected, found),
                })
                .collect()
        }
        (Value::Number(expected), Value::Number(found)) => {
            let (expected, found) = (expected.as_f64().unwrap(), found.as_f64().unwrap());
            let is_near = (expected - found).abs() <= TOLERANCE * expected.abs();
            if is_near { Vec::new() } else { vec![format!("{path}: {found:e}, not {expected:e}")] }
        }
        _ if expected == found => Vec::new(),
        _ => vec![format!("{path}: {found}, not {expected}")],
    }
}

#[test]
fn the_program_answers_with_nine_digits() {
    let lines: Vec<Value> = include_str!("../reference/cases.jsonl")
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert!(lines.len() > 60, "{}", lines.len());
    for line in &lines {
        let found: Value = serde_json::from_str(&answer(line["case"].to_string().as_bytes())).unwrap();
        let differences = differences("", &line["answer"], &found);
        assert!(differences.is_empty(), "{}: {differences:#?}", line["case"]);
    }
}

#[test]
fn differences_are_found() {
    let differ = |expected: Value, found: Value| differences("", &expected, &found).len();
    assert_eq!(differ(json!({"a": 1.0, "b": [1, "x"]}), json!({"a": 1.000_000_000_1, "b": [1, "x"]})), 0);
    assert_eq!(differ(json!({"a": 1.0}), json!({"a": 1.000_000_01})), 1);
    assert_eq!(differ(json!({"a": 1.0}), json!({"a": null})), 1);
    assert_eq!(differ(json!({"a": 1e-300}), json!({"a": 0.0})), 1);
    assert_eq!(differ(json!({"a": 1}), json!({"b": 1})), 2);
    assert_eq!(differ(json!({"interval": [-1e-12, 1.0]}), json!({"interval": [1e-12, 1.0]})), 0);
    assert_eq!(differ(json!({"interval": [-1e-8, 1.0]}), json!({"interval": [1e-8, 1.0]})), 1);
    assert_eq!(differ(json!(["a"]), json!(["a", "b"])), 1);
}

#[test]
fn cases_that_cannot_be_read_are_answered_with_the_error() {
    for (case, error) in [
        ("{", "EOF while parsing an object at line 1 column 1"),
        ("[]", "[] is not an object"),
        (r#"{"kind": "median"}"#, "there is no kind median"),
        (r#"{"kind": "mean"}"#, "variants is missing"),
        (
            r#"{"kind": "mean", "variants": [{"users": 1, "sum": 1, "sumSquares": 1}]}"#,
            "variants must be 2 to 100",
        ),
        (r#"{"kind": "srm", "variants": [{"users": -1, "weight": 1}, {}]}"#, "users must be 0 to 10^15"),
        (
            r#"{"kind": "srm", "variants": [{"users": 1, "weight": 1, "a": 1}, {}]}"#,
            "a is not a member of this kind",
        ),
        (
            r#"{"kind": "mean", "variants": [{"users": 1, "sum": 1.5}, {}]}"#,
            "sum: 1.5 is not an integer of 128 bits",
        ),
        (r#"{"kind": "holm", "pValues": [1.5]}"#, "pValues must be numbers from 0 to 1"),
        (r#"{"kind": "holm", "pValues": [], "settings": {}}"#, "settings is not a member of this kind"),
        (r#"{"kind": "mean", "settings": {"alpha": 0}}"#, "settings: a number is out of its range"),
        (
            r#"{"kind": "winsorise", "quantile": 0, "variants": [{"values": [1]}]}"#,
            "quantile must be 1 to 10000",
        ),
        (
            r#"{"kind": "sampleSize", "lift": 1, "users": 1, "standardError": 0}"#,
            "a number is out of its range",
        ),
    ] {
        let found: Value = serde_json::from_str(&answer(case.as_bytes())).unwrap();
        assert_eq!(found["error"], error, "{case}");
    }
}

#[test]
fn a_line_that_is_not_utf_8_has_an_error_and_the_cases_after_it_their_answers() {
    let case = r#"{"kind": "holm", "pValues": [0.5]}"#;
    let mut lines = format!("{case}\r\n \t\n").into_bytes();
    lines.extend(b"{\"kind\": \"\xff\"}\n\n");
    lines.extend(case.as_bytes());
    let mut out = Vec::new();
    answer_lines(&lines[..], &mut out).unwrap();
    let answers: Vec<Value> =
        String::from_utf8(out).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(answers.len(), 3, "{answers:?}");
    assert_eq!((&answers[0]["adjustedPValues"], &answers[2]), (&json!([0.5]), &answers[0]));
    assert!(answers[1]["error"].is_string(), "{answers:?}");
}
