//! Each row of docs/security.md names tests that exist, and no item of a chapter is left out. The lists of limits and of
//! logs that it refers to are complete. The failures in docs/events.md name tests that exist, too.

use crate::assert_none;
use std::collections::BTreeSet;
use tests::{project, template::Template};

const DOCUMENT: &str = "docs/security.md";

/// The sections of the chapters of ASVS 5.0.0 that the page goes through, with their numbers of items.
const SECTIONS: [(&str, usize); 29] = [
    ("2.1", 3),
    ("2.2", 3),
    ("2.3", 5),
    ("2.4", 2),
    ("6.1", 3),
    ("6.2", 12),
    ("6.3", 8),
    ("6.4", 6),
    ("6.5", 8),
    ("6.6", 4),
    ("6.7", 2),
    ("6.8", 4),
    ("7.1", 3),
    ("7.2", 4),
    ("7.3", 2),
    ("7.4", 5),
    ("7.5", 3),
    ("7.6", 2),
    ("8.1", 4),
    ("8.2", 4),
    ("8.3", 3),
    ("8.4", 2),
    ("9.1", 3),
    ("9.2", 4),
    ("16.1", 1),
    ("16.2", 5),
    ("16.3", 4),
    ("16.4", 3),
    ("16.5", 4),
];

/// The items that a row of a table or a point of a list is about: the numbers that it begins with, as in
/// `| 2.1.1, 2.1.2 Documented rules | …` and `- 2.4.2 Human timing: …`.
fn items(line: &str) -> impl Iterator<Item = &str> {
    let text = line.strip_prefix("| ").or_else(|| line.strip_prefix("- ")).unwrap_or_default();
    let is_item = |word: &&str| {
        word.split('.').count() == 3 && word.split('.').all(|number| number.parse::<u8>().is_ok())
    };
    text.split(' ').map(|word| word.trim_end_matches(',')).take_while(is_item)
}

/// The items of the chapters that are in no place of the page, or in several, and those that there are not.
fn misplaced(document: &str) -> Vec<String> {
    let found: Vec<&str> = document.lines().flat_map(items).collect();
    let items_of = |(section, count): &(&str, usize)| {
        let section = (*section).to_owned();
        (1..=*count).map(move |number| format!("{section}.{number}"))
    };
    let wanted: Vec<String> = SECTIONS.iter().flat_map(items_of).collect();
    let chapter = |item: &str| item.split('.').next().unwrap_or_default().to_owned();
    let chapters: Vec<String> = wanted.iter().map(|item| chapter(item)).collect();
    let times = |item: &&String| found.iter().filter(|found| *found == item).count();
    let not_once = wanted.iter().filter(|item| times(item) != 1);
    let not_once = not_once.map(|item| format!("{item} is there {} times", times(&item)));
    let unknown = found.iter().filter(|item| chapters.contains(&chapter(item)));
    let unknown = unknown.filter(|item| !wanted.iter().any(|wanted| wanted == *item));
    not_once.chain(unknown.map(|item| format!("there is no item {item}"))).collect()
}

#[test]
fn each_item_of_a_chapter_is_in_one_place() {
    assert_none(&misplaced(&project::read(DOCUMENT)));
}

#[test]
fn items_that_are_left_out_or_repeated_are_found() {
    let document = project::read(DOCUMENT);
    let without = document.replace("\n- 2.4.2 ", "\n- ");
    assert_eq!(misplaced(&without), ["2.4.2 is there 0 times"]);
    let more = "\n- 8.4.1, 8.4.3 Tenants: none, see 8.4.2.\n";
    assert_eq!(misplaced(&(document + more)), ["8.4.1 is there 2 times", "there is no item 8.4.3"]);
}

/// The names that a document does not have between backticks.
fn unnamed(names: &[String], document: &str) -> Vec<String> {
    let missing = names.iter().filter(|name| !document.contains(&format!("`{name}`")));
    missing.map(|name| format!("{name} is missing")).collect()
}

/// A section of a document, from its heading to the next one.
fn section(document: &str, heading: &str) -> String {
    let lines = document.lines().skip_while(|line| *line != heading);
    lines
        .enumerate()
        .take_while(|(at, line)| *at == 0 || !line.starts_with("##"))
        .flat_map(|(_, line)| [line, "\n"])
        .collect()
}

#[test]
fn every_limit_of_the_template_is_in_the_table_of_limits() {
    let template = Template::ours();
    let parameters = template.at("/Parameters").as_object().expect("the template has parameters");
    let is_limit = |name: &&String| name.starts_with("Limit") || name.ends_with("Limit");
    let limits: Vec<String> = parameters.keys().filter(is_limit).cloned().collect();
    assert!(limits.len() > 10, "{limits:?}");
    let table = section(&project::read("docs/design.md"), "### Users are limited where abuse pays");
    assert_none(&unnamed(&limits, &table));
}

#[test]
fn every_log_group_is_in_the_inventory() {
    let template = Template::ours();
    let name = |properties: &serde_json::Value| {
        let name = properties.pointer("/LogGroupName/Fn::Sub").and_then(serde_json::Value::as_str);
        name.expect("a log group has a name with that of the stack").replace("${AWS::StackName}", "<stack>")
    };
    let groups: Vec<String> =
        template.resources("AWS::Logs::LogGroup").map(|(_, properties)| name(properties)).collect();
    assert!(groups.len() > 2, "{groups:?}");
    assert_none(&unnamed(&groups, &section(&project::read("docs/operations.md"), "## Logs")));
}

/// What the roles, and the policies of functions, allow on logs.
fn log_actions(template: &Template) -> BTreeSet<String> {
    let policies = template.resources("AWS::IAM::ManagedPolicy").filter(|(id, _)| id.starts_with("Function"));
    let granted =
        template.resources("AWS::IAM::Role").chain(policies).map(|(_, granted)| granted.to_string());
    let actions = |text: String| text.split('"').map(str::to_owned).collect::<Vec<_>>();
    granted.flat_map(actions).filter(|text| text.starts_with("logs:")).collect()
}

#[test]
fn functions_add_to_logs_and_neither_read_nor_change_them() {
    let allowed = ["logs:CreateLogStream", "logs:PutLogEvents"].map(str::to_owned);
    assert_eq!(log_actions(&Template::ours()), BTreeSet::from(allowed));
    let policy =
        "Resources: {FunctionX: {Type: AWS::IAM::ManagedPolicy, Properties: {Action: [logs:GetLogEvents]}}}";
    assert_eq!(log_actions(&Template::parse(policy)), BTreeSet::from(["logs:GetLogEvents".to_owned()]));
}

#[test]
fn names_that_a_section_does_not_have_are_found() {
    let document = "## Logs\n| `a` | b |\n## Other\n`c`";
    let names = ["a", "b", "c"].map(str::to_owned);
    assert_eq!(unnamed(&names, &section(document, "## Logs")), ["b is missing", "c is missing"]);
}

/// The texts between backticks.
fn quoted(cell: &str) -> impl Iterator<Item = &str> {
    cell.split('`').skip(1).step_by(2)
}

/// A test's name follows the file that it is in, as in `` `tests/a.rs`: `first`, `second` ``.
fn findings(row: &str, read: impl Fn(&str) -> String) -> Vec<String> {
    let Some(cell) = row.trim_end_matches('|').rsplit('|').next() else { return Vec::new() };
    let (mut findings, mut tests, mut path, mut text) = (Vec::new(), 0, "", String::new());
    for name in quoted(cell) {
        if name.contains('/') {
            path = name;
            text = read(path);
            continue;
        }
        tests += 1;
        if !["fn", "def"].iter().any(|keyword| text.contains(&format!("{keyword} {name}("))) {
            findings.push(format!("{path} has no test {name}"));
        }
    }
    if tests == 0 {
        findings.push(format!("a row names no test: {row}"));
    }
    findings
}

/// The rows of tables without their heads.
fn rows(document: &str) -> Vec<&str> {
    let row = |line: &&str| line.starts_with('|');
    let heads = document.lines().zip(document.lines().skip(1)).filter(|(_, next)| next.starts_with("|---"));
    let heads: Vec<&str> = heads.map(|(head, _)| head).collect();
    let is_head = |line: &&str| line.starts_with("|---") || heads.contains(line);
    document.lines().filter(row).filter(|line| !is_head(line)).collect()
}

#[test]
fn each_checked_item_names_tests_that_exist() {
    let document = project::read(DOCUMENT);
    let rows = rows(&document);
    assert!(rows.len() > 4, "{rows:?}");
    assert_none(
        &rows.into_iter().flat_map(|row| findings(row, |path| project::read(path))).collect::<Vec<_>>(),
    );
}

#[test]
fn each_failure_on_the_way_of_events_names_tests_that_exist() {
    let failures = section(&project::read("docs/events.md"), "## When something fails");
    let rows = rows(&failures);
    assert!(rows.len() > 12, "{rows:?}");
    assert_none(
        &rows.into_iter().flat_map(|row| findings(row, |path| project::read(path))).collect::<Vec<_>>(),
    );
}

#[test]
fn rows_without_existing_tests_are_found() {
    let document =
        "| item | tests |\n|---|---|\n| A | `t/a.rs`: `good`, `gone`; `t/b.py`: `other` |\n| B | none |\n";
    let read = |path: &str| if path == "t/a.rs" { "fn good() {}" } else { "def other(self):" }.to_owned();
    let found: Vec<String> = rows(document).into_iter().flat_map(|row| findings(row, read)).collect();
    assert_eq!(found, ["t/a.rs has no test gone", "a row names no test: | B | none |"]);
}
