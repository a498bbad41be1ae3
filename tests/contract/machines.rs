//! The errors that state machines retry, and what a failed request says about them.

use crate::assert_none;
use domain::saga::FailedStep;
use serde_json::Value;
use std::collections::BTreeSet;
use tests::project::{self, Source};

/// The errors in the retriers of a state machine, including those in nested processors.
fn retried(machine: &Value) -> BTreeSet<String> {
    match machine {
        Value::Object(members) => {
            let names = members.get("Retry").and_then(Value::as_array).into_iter().flatten();
            let names = names.filter_map(|retrier| retrier["ErrorEquals"].as_array()).flatten();
            let here = names.filter_map(|name| name.as_str().map(str::to_owned));
            here.chain(members.values().flat_map(retried)).collect()
        }
        Value::Array(elements) => elements.iter().flat_map(retried).collect(),
        _ => BTreeSet::new(),
    }
}

/// Errors that a machine retries, and whose detail does not advise the caller to try again.
fn retried_without_advice(machines: &[Source]) -> Vec<String> {
    let mut findings = Vec::new();
    for machine in machines {
        let errors = retried(&serde_json::from_str(&machine.text).expect("JSON"));
        if errors.is_empty() {
            findings.push(format!("{} retries nothing", machine.path));
        }
        for error in errors {
            if !FailedStep::new("step".to_owned(), &error).detail.contains("try again") {
                findings.push(format!("{}: {error}", machine.path));
            }
        }
    }
    findings
}

#[test]
fn every_retried_error_advises_the_caller_to_try_again() {
    assert_none(&retried_without_advice(&project::sources("statemachines")));
}

#[test]
fn retried_errors_without_advice_and_machines_without_retriers_are_found() {
    let machine = |path: &str, text: &str| Source { path: path.to_owned(), text: text.to_owned() };
    let nested = r#"{"States": {"A": {"ItemProcessor": {"States": {"B": {"Retry": [{"ErrorEquals": ["Unavailable", "Odd"]}]}}}}}}"#;
    let machines = [machine("a", nested), machine("b", r#"{"States": {}}"#)];
    assert_eq!(retried_without_advice(&machines), ["a: Odd", "b retries nothing"]);
}
