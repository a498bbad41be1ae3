//! A function has the settings in its environment that its code reads, and no others.

use crate::{assert_none, differences};
use std::collections::BTreeSet;
use tests::{
    project::{self, Source},
    template::Template,
};

/// The methods of `App` that read settings by themselves, and which.
const CALLS: [(&str, &[&str]); 13] = [
    ("app.table.", &["TABLE_NAME"]),
    ("app.access_token(", &["TABLE_NAME", "SIGNING_SECRET_ARN", "TOKEN_ISSUER", "TOKEN_AUDIENCE"]),
    ("app.admit(", &["TABLE_NAME", "LIMIT_WINDOW_SECONDS"]),
    ("app.cached_page(", &["CACHE_URL"]),
    ("app.capture_payment(", &["TABLE_NAME", "PAYMENTS_SECRET_ARN", "PAYMENTS_URL"]),
    ("app.fill_cache(", &["CACHE_URL"]),
    ("app.has_cache(", &["CACHE_URL"]),
    ("app.payments(", &["PAYMENTS_SECRET_ARN", "PAYMENTS_URL"]),
    ("app.put_into_cache(", &["CACHE_URL"]),
    ("app.tell_cache(", &["CACHE_URL"]),
    ("app.tell_cache_gone(", &["CACHE_URL"]),
    ("app.verify(", &["TABLE_NAME", "TOKEN_ISSUER", "TOKEN_AUDIENCE"]),
    ("app.void_payment(", &["TABLE_NAME", "PAYMENTS_SECRET_ARN", "PAYMENTS_URL"]),
];

/// What every function has, from Lambda or from the template's `Globals`.
const COMMON: [&str; 1] = ["METRICS_NAMESPACE"];

/// The settings that a function's code reads: those that it names, and those of the calls that it makes.
fn read_by(text: &str) -> BTreeSet<String> {
    let named = settings_in(text);
    let called = CALLS.iter().filter(|(call, _)| text.contains(call)).flat_map(|(_, settings)| *settings);
    named.into_iter().chain(called.map(|setting| (*setting).to_owned())).collect()
}

/// Every string literal that looks like the name of a setting.
fn settings_in(text: &str) -> BTreeSet<String> {
    let is_setting = |literal: &str| {
        literal.contains('_')
            && literal.bytes().all(|b| b.is_ascii_uppercase() || b == b'_' || b.is_ascii_digit())
    };
    // Every other piece between quotes is a literal.
    let literals = text.lines().flat_map(|line| line.split('"').skip(1).step_by(2));
    literals.filter(|literal| is_setting(literal)).map(str::to_owned).collect()
}

fn given_to(properties: &serde_json::Value) -> BTreeSet<String> {
    let variables = properties["Environment"]["Variables"].as_object();
    variables.into_iter().flat_map(|variables| variables.keys().cloned()).collect()
}

#[test]
fn each_function_has_the_settings_that_it_reads() {
    let mut findings = Vec::new();
    for function in Template::ours().functions() {
        let Some(text) = project::function(&function.name) else { continue };
        let read = read_by(&text);
        let given = given_to(&function.properties);
        let code = format!("the code of {}", function.name);
        findings.extend(differences((&code, &read), ("its environment in template.yaml", &given)));
    }
    assert_none(&findings);
}

/// The table of calls is complete: every setting that the runtime reads stands in it, and no other does.
#[test]
fn the_settings_of_the_runtime_are_known_here() {
    let read: BTreeSet<String> = project::sources("shared/runtime/src")
        .iter()
        .flat_map(|Source { text, .. }| settings_in(text))
        .filter(|setting| !setting.starts_with("AWS_") && !COMMON.contains(&setting.as_str()))
        .collect();
    let known = CALLS.iter().flat_map(|(_, settings)| *settings).map(|name| (*name).to_owned()).collect();
    assert_none(&differences(("shared/runtime", &read), ("this test's table of calls", &known)));
    let common = given_to(Template::ours().at("/Globals/Function"));
    assert_eq!(common, COMMON.map(str::to_owned).into());
}

#[test]
fn settings_are_found_in_code() {
    let code = "app.admit(\"x\", &[(\"email\", \"LIMIT_A_B\", y)]); let a = \"NO\"; let b = \"no_setting\";";
    let expected = ["LIMIT_A_B", "LIMIT_WINDOW_SECONDS", "TABLE_NAME"].map(str::to_owned);
    assert_eq!(read_by(code), expected.into());
    assert_eq!(read_by("respond::ok(1)"), BTreeSet::new());
}
