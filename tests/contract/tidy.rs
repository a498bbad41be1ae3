//! Things that must not be in the repository.

use crate::assert_none;
use std::collections::BTreeSet;
use tests::project::{self, Source};

const LONGEST_FILE: usize = 500;
const LONGEST_MAIN: usize = 100;

/// Markers of unfinished work. Each is written in two pieces, so that the check does not find this file.
const LEFT_LYING: [&str; 2] = [concat!("TO", "DO"), concat!("FIX", "ME")];

/// Unwanted in all Rust code.
const UNWANTED: [&str; 4] =
    [concat!("to", "do!("), concat!("unimpl", "emented!("), concat!("db", "g!("), concat!("#[ign", "ore")];

/// Allowed in tests only, where a panic reports a failure.
const IN_TESTS_ALONE: [&str; 2] = [concat!(".unw", "rap()"), concat!("#![all", "ow(")];

/// The only file that may contain literals of keys.
const KEYS: &str = "shared/table/src/keys.rs";

fn is_code(source: &Source) -> bool {
    source.is("rs") || source.is("py") || source.text.starts_with("#!")
}

fn is_shipped(source: &Source) -> bool {
    source.is("rs") && ["functions/", "shared/"].iter().any(|directory| source.path.starts_with(directory))
}

/// The lines before the unit tests, with their line numbers. A file `tests.rs`, and one that begins as a module of tests,
/// consists of unit tests.
fn without_tests(source: &Source) -> impl Iterator<Item = (usize, &str)> {
    let has_code = !source.path.ends_with("/tests.rs");
    let begins_tests = |line: &str| line == "#[cfg(test)]" || line == "#![cfg(test)]";
    (1..).zip(source.text.lines()).take_while(move |(_, line)| has_code && !begins_tests(line))
}

fn found(source: &Source, number: usize, what: &str) -> String {
    format!("{}:{number}: {what}", source.path)
}

fn unwanted_words(source: &Source) -> Vec<String> {
    let mut findings = Vec::new();
    for (number, line) in (1..).zip(source.text.lines()) {
        let rust = if source.is("rs") { &UNWANTED[..] } else { &[] };
        let words = LEFT_LYING.iter().chain(rust).filter(|word| line.contains(**word));
        findings.extend(words.map(|word| found(source, number, word)));
    }
    if is_shipped(source) {
        for (number, line) in without_tests(source) {
            let words = IN_TESTS_ALONE.iter().filter(|word| line.contains(**word));
            findings.extend(words.map(|word| found(source, number, word)));
        }
    }
    findings
}

fn too_long(source: &Source) -> Option<String> {
    let lines = source.text.lines().count();
    let is_main = source.path.starts_with("functions/") && source.path.ends_with("/src/main.rs");
    let longest = if is_main { LONGEST_MAIN } else { LONGEST_FILE };
    ((is_main || is_code(source)) && lines > longest)
        .then(|| format!("{}: {lines} lines, at most {longest}", source.path))
}

/// The function that also has the files that it serves, and a build script that embeds them.
const WITH_FILES: (&str, &str, &str) = ("page-get", "build.rs", "page/");

/// The only directories of the project.
const DIRECTORIES: [&str; 7] =
    ["docs", "events", "functions", "localstack", "shared", "statemachines", "tests"];

fn in_another_directory(source: &Source) -> Option<String> {
    let (directory, _) = source.path.split_once('/')?;
    (!directory.starts_with('.') && !DIRECTORIES.contains(&directory))
        .then(|| format!("{}: not in a directory of the project", source.path))
}

/// A function consists of a manifest and one source file.
fn out_of_place(source: &Source) -> Option<String> {
    let rest = source.path.strip_prefix("functions/")?;
    let (function, rest) = rest.split_once('/')?;
    let (with_files, script, files) = WITH_FILES;
    let is_served = function == with_files && (rest == script || rest.starts_with(files));
    (!is_served && !["Cargo.toml", "src/main.rs"].contains(&rest))
        .then(|| format!("{}: a function is Cargo.toml and src/main.rs", source.path))
}

/// `tests/run` does not run tests of functions, which would link each of them a second time: a decision that needs a
/// test belongs to `domain`.
fn unit_test(source: &Source) -> Option<String> {
    (source.path.starts_with("functions/") && source.text.contains("#[test]"))
        .then(|| format!("{}: a unit test in a function", source.path))
}

/// The prefixes of keys: every literal in the file of keys that begins with capitals and a `#`.
fn key_prefixes(keys: &Source) -> BTreeSet<String> {
    let mut prefixes = BTreeSet::new();
    for (_, line) in without_tests(keys).filter(|(_, line)| !line.trim_start().starts_with("//")) {
        for literal in line.split('"').skip(1).step_by(2) {
            if let Some((prefix, _)) = literal.split_once('#')
                && !prefix.is_empty()
                && prefix.bytes().all(|b| b.is_ascii_uppercase())
            {
                prefixes.insert(format!("\"{prefix}#"));
            }
        }
    }
    prefixes
}

fn stray_keys(source: &Source, prefixes: &BTreeSet<String>) -> Vec<String> {
    if source.path == KEYS || !is_shipped(source) {
        return Vec::new();
    }
    let lines = without_tests(source).filter(|(_, line)| !line.trim_start().starts_with("//"));
    lines
        .flat_map(|(number, line)| {
            let stray = prefixes.iter().filter(|prefix| line.contains(*prefix));
            stray.map(move |prefix| found(source, number, &format!("a key, {prefix}, outside of {KEYS}")))
        })
        .collect()
}

#[test]
fn sources_have_no_unwanted_words() {
    assert_none(&project::sources("").iter().flat_map(unwanted_words).collect::<Vec<_>>());
}

#[test]
fn files_are_short() {
    assert_none(&project::sources("").iter().filter_map(too_long).collect::<Vec<_>>());
}

#[test]
fn the_project_has_seven_directories() {
    assert_none(&project::sources("").iter().filter_map(in_another_directory).collect::<Vec<_>>());
    let source = |path: &str| Source { path: path.to_owned(), text: String::new() };
    assert!(in_another_directory(&source("scripts/run")).is_some());
    assert_none(
        &["shared/a.rs", "Cargo.toml", ".ci/run"]
            .iter()
            .filter_map(|path| in_another_directory(&source(path)))
            .collect::<Vec<_>>(),
    );
}

#[test]
fn a_function_is_one_file() {
    assert_none(&project::sources("functions").iter().filter_map(out_of_place).collect::<Vec<_>>());
}

#[test]
fn functions_have_no_unit_tests() {
    assert_none(&project::sources("functions").iter().filter_map(unit_test).collect::<Vec<_>>());
    let source = |path: &str, text: &str| Source { path: path.to_owned(), text: text.to_owned() };
    assert!(unit_test(&source("functions/a/src/main.rs", "#[test]\nfn x() {}")).is_some());
    assert!(unit_test(&source("shared/a/src/lib.rs", "#[test]\nfn x() {}")).is_none());
}

#[test]
fn keys_are_written_in_one_place() {
    let sources = project::sources("");
    let keys = sources.iter().find(|source| source.path == KEYS).unwrap();
    let prefixes = key_prefixes(keys);
    assert!(prefixes.contains("\"PRODUCT#") && prefixes.len() >= 9, "{prefixes:?}");
    assert_none(&sources.iter().flat_map(|source| stray_keys(source, &prefixes)).collect::<Vec<_>>());
}

/// npm takes the packages from the registry that is configured on the machine; the digest verifies them.
#[test]
fn locked_packages_name_a_digest_and_no_registry() {
    let lock = project::read("tests/clients/typescript/package-lock.json");
    let packages = lock.matches("\n    \"node_modules/").count();
    assert_eq!((lock.matches("\"integrity\"").count(), lock.matches("\"resolved\"").count()), (packages, 0));
}

#[test]
fn the_checks_find_unwanted_words() {
    let source = |path: &str, text: &str| Source { path: path.to_owned(), text: text.to_owned() };
    let [left, _] = LEFT_LYING;
    let [unwrap, _] = IN_TESTS_ALONE;
    let shipped = source("shared/a.rs", &format!("a{unwrap};\n// {left}\n#[cfg(test)]\nb{unwrap};\n"));
    let expected = [format!("shared/a.rs:2: {left}"), format!("shared/a.rs:1: {unwrap}")];
    assert_eq!(unwanted_words(&shipped), expected);
    assert_none(&unwanted_words(&source("tests/a.rs", unwrap)));
    for word in UNWANTED {
        assert_eq!(unwanted_words(&source("tests/a.rs", word)).len(), 1);
        assert_eq!(unwanted_words(&source("README.md", word)).len(), 0);
    }

    assert!(too_long(&source("a.py", &"\n".repeat(501))).is_some());
    assert!(too_long(&source("a.py", &"\n".repeat(500))).is_none());
    assert!(too_long(&source("run", &format!("#!/bin/sh{}", "\n".repeat(501)))).is_some());
    assert!(too_long(&source("template.yaml", &"\n".repeat(501))).is_none());
    assert!(too_long(&source("functions/a/src/main.rs", &"\n".repeat(101))).is_some());

    assert!(out_of_place(&source("functions/a/src/lib.rs", "")).is_some());
    assert!(out_of_place(&source("functions/a/README.md", "")).is_some());
    assert!(out_of_place(&source("functions/a/page/app.js", "")).is_some());
    assert!(out_of_place(&source("functions/a/src/main.rs", "")).is_none());
    assert!(out_of_place(&source("functions/page-get/page/app.js", "")).is_none());
    assert!(out_of_place(&source("functions/page-get/src/other.rs", "")).is_some());

    let keys = source(KEYS, "// \"NOT#\nformat!(\"USER#{id}\")\nconst A: &str = \"KEY#\";\n");
    let prefixes = key_prefixes(&keys);
    assert_eq!(prefixes, ["\"KEY#", "\"USER#"].map(str::to_owned).into());
    let stray =
        source("shared/table/src/a.rs", "x(\"USER#1\")\n// \"USER#2\"\n#[cfg(test)]\nx(\"USER#3\")\n");
    assert_eq!(stray_keys(&stray, &prefixes).len(), 1);
    assert_eq!(stray_keys(&keys, &prefixes).len(), 0);
    assert_none(&stray_keys(&source("shared/table/src/keys/tests.rs", "x(\"USER#1\")"), &prefixes));
}
