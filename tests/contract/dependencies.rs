//! Every dependency comes from an allowed registry, has an allowed licence, and has one version only, unless deny.toml
//! lists the second one with a reason. The dependencies are those of `cargo metadata`.

use crate::assert_none;
use serde_json::{Value, json};
use std::{
    collections::{BTreeMap, BTreeSet},
    process::Command,
};
use tests::project;

/// The lists of deny.toml.
#[derive(Debug, Default)]
struct Policy {
    /// The target triples whose dependencies are checked.
    targets: Vec<String>,
    /// Allowed licences: SPDX identifiers.
    licences: Vec<String>,
    /// Allowed second versions of a package, as `name@version`, each with the reason.
    doubles: Vec<(String, String)>,
    /// Index URLs of the allowed registries.
    registries: Vec<String>,
}

/// Reads the lists, which have one entry per line. A line of a list that has another form is an error, so that no entry
/// is skipped.
fn policy(toml: &str) -> Result<Policy, String> {
    let mut policy = Policy::default();
    let (mut section, mut list) = ("", "");
    for line in toml.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#')) {
        if list.is_empty() {
            if line.starts_with('[') {
                section = line;
            } else if let Some(name) = line.strip_suffix(" = [") {
                list = name;
            }
            continue;
        }
        if line == "]" {
            list = "";
            continue;
        }
        let strings: Vec<String> = line.split('"').skip(1).step_by(2).map(str::to_owned).collect();
        match (section, list, &strings[..]) {
            ("[graph]", "targets", [target]) => policy.targets.push(target.clone()),
            ("[licenses]", "allow", [licence]) => policy.licences.push(licence.clone()),
            ("[sources]", "allow-registry", [index]) => policy.registries.push(index.clone()),
            ("[bans]", "skip", [version, reason]) => policy.doubles.push((version.clone(), reason.clone())),
            _ => return Err(format!("deny.toml: {section} {list}: {line} cannot be read")),
        }
    }
    Ok(policy)
}

/// Whether the allowed licences satisfy an SPDX expression. Older crates write `/` for OR.
fn is_allowed(expression: &str, allowed: &[String]) -> bool {
    let spaced = expression.replace('(', " ( ").replace(')', " ) ").replace('/', " OR ");
    let mut words = spaced.split_whitespace().peekable();
    let satisfied = any_of(&mut words, allowed);
    satisfied && words.next().is_none()
}

type Words<'a> = std::iter::Peekable<std::str::SplitWhitespace<'a>>;

fn any_of(words: &mut Words<'_>, allowed: &[String]) -> bool {
    let mut satisfied = all_of(words, allowed);
    while words.next_if_eq(&"OR").is_some() {
        satisfied |= all_of(words, allowed);
    }
    satisfied
}

fn all_of(words: &mut Words<'_>, allowed: &[String]) -> bool {
    let mut satisfied = one(words, allowed);
    while words.next_if_eq(&"AND").is_some() {
        satisfied &= one(words, allowed);
    }
    satisfied
}

/// A licence, a licence `WITH` an exception, or an expression in parentheses.
fn one(words: &mut Words<'_>, allowed: &[String]) -> bool {
    let Some(word) = words.next() else { return false };
    if word == "(" {
        let satisfied = any_of(words, allowed);
        return words.next() == Some(")") && satisfied;
    }
    let mut licence = word.to_owned();
    if words.next_if_eq(&"WITH").is_some() {
        licence = format!("{word} WITH {}", words.next().unwrap_or_default());
    }
    allowed.contains(&licence)
}

/// A package of `cargo metadata`.
struct Package<'a> {
    name: &'a str,
    version: &'a str,
    licence: &'a str,
    /// The registry or repository; `None` for a path.
    source: Option<&'a str>,
    is_member: bool,
}

fn packages(metadata: &Value) -> Vec<Package<'_>> {
    let members: Vec<&Value> = metadata["workspace_members"].as_array().into_iter().flatten().collect();
    let packages = metadata["packages"].as_array().into_iter().flatten();
    packages
        .map(|package| Package {
            name: package["name"].as_str().unwrap_or_default(),
            version: package["version"].as_str().unwrap_or_default(),
            licence: package["license"].as_str().unwrap_or_default(),
            source: package["source"].as_str(),
            is_member: members.contains(&&package["id"]),
        })
        .collect()
}

fn foreign(packages: &[Package<'_>], policy: &Policy) -> Vec<String> {
    let is_known = |package: &&Package<'_>| match package.source {
        None => package.is_member,
        Some(source) => {
            source.strip_prefix("registry+").is_some_and(|index| policy.registries.iter().any(|r| r == index))
        }
    };
    let foreign = packages.iter().filter(|package| !is_known(package));
    foreign
        .map(|package| {
            let source = package.source.unwrap_or("a path outside of the workspace");
            format!("{} {} comes from {source}", package.name, package.version)
        })
        .collect()
}

fn unlicensed(packages: &[Package<'_>], policy: &Policy) -> Vec<String> {
    let refused = packages.iter().filter(|package| !is_allowed(package.licence, &policy.licences));
    let mut findings: Vec<String> = refused
        .map(|package| format!("{} {}: licence {:?}", package.name, package.version, package.licence))
        .collect();
    let names = |licence: &String| packages.iter().any(|package| package.licence.contains(licence.as_str()));
    let unused = policy.licences.iter().filter(|licence| !names(licence));
    findings.extend(unused.map(|licence| format!("deny.toml: no dependency is under {licence}")));
    findings
}

fn doubled(packages: &[Package<'_>], policy: &Policy) -> Vec<String> {
    let mut versions: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for package in packages {
        versions.entry(package.name).or_default().insert(package.version);
    }
    let mut findings = Vec::new();
    for (double, reason) in &policy.doubles {
        if reason.is_empty() {
            findings.push(format!("deny.toml: {double} has no reason"));
        }
        let (name, version) = double.split_once('@').unwrap_or((double, ""));
        let is_double = versions.get(name).is_some_and(|all| all.len() > 1 && all.contains(version));
        if !is_double {
            findings.push(format!("deny.toml: {double} does not stand beside another version"));
        }
    }
    for (name, versions) in versions {
        let is_listed =
            |version: &&&str| policy.doubles.iter().any(|(d, _)| *d == format!("{name}@{version}"));
        let unlisted: Vec<&str> = versions.iter().filter(|version| !is_listed(version)).copied().collect();
        if unlisted.len() > 1 {
            findings.push(format!("{name} stands in versions {}", unlisted.join(", ")));
        }
    }
    findings
}

fn findings(metadata: &Value, policy: &Policy) -> Vec<String> {
    let packages = packages(metadata);
    [foreign(&packages, policy), unlicensed(&packages, policy), doubled(&packages, policy)].concat()
}

/// Does not pass `--offline`: crates for other platforms may have to be downloaded on the first run.
fn metadata(targets: &[String]) -> Result<Value, String> {
    let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned());
    let mut command = Command::new(cargo);
    command.args(["metadata", "--format-version", "1", "--locked"]).current_dir(project::root());
    for target in targets {
        command.args(["--filter-platform", target]);
    }
    let output = command.output().map_err(|error| format!("cargo metadata: {error}"))?;
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).into_owned());
    }
    serde_json::from_slice(&output.stdout).map_err(|error| format!("cargo metadata: {error}"))
}

#[test]
fn dependencies_are_what_deny_toml_allows() {
    let policy = policy(&project::read("deny.toml")).unwrap();
    let metadata = metadata(&policy.targets).unwrap();
    let packages = packages(&metadata);
    let outside = packages.iter().filter(|package| !package.is_member).count();
    assert!(outside > 100, "cargo metadata tells of {outside} dependencies only");
    assert_none(&findings(&metadata, &policy));
}

#[test]
fn the_lists_are_read() {
    let toml = "[graph]\n# why\ntargets = [\n    \"a\",\n]\nall-features = true\n[licenses]\nallow = [\n\"MIT\",\n\"ISC\",\n]\n\
        [bans]\nskip = [\n{ crate = \"a@1\", reason = \"b\" },\n]\n[sources]\nallow-registry = [\n\"r\",\n]\nallow-git = []\n";
    let read = policy(toml).unwrap();
    assert_eq!(
        (read.targets, read.licences),
        (vec!["a".to_owned()], vec!["MIT".to_owned(), "ISC".to_owned()])
    );
    assert_eq!(
        (read.doubles, read.registries),
        (vec![("a@1".to_owned(), "b".to_owned())], vec!["r".to_owned()])
    );
    assert!(policy("[bans]\nskip = [\n\"a@1\",\n]\n").is_err());
    assert!(policy("[licenses]\nallow = [\n\"MIT\", \"ISC\",\n]\n").is_err());
}

#[test]
fn licences_are_understood() {
    let allowed = ["MIT", "ISC", "Apache-2.0 WITH LLVM-exception"].map(str::to_owned);
    for expression in [
        "MIT",
        "GPL-3.0 OR MIT",
        "GPL-3.0/MIT",
        "MIT AND (ISC OR GPL-3.0)",
        "(GPL-3.0 OR MIT) AND ISC",
        "GPL-3.0 AND ISC OR MIT",
        "Apache-2.0 WITH LLVM-exception",
    ] {
        assert!(is_allowed(expression, &allowed), "{expression}");
    }
    for expression in [
        "",
        "GPL-3.0",
        "MIT AND GPL-3.0",
        "MIT AND (GPL-3.0 OR BSD-3-Clause)",
        "(MIT",
        "MIT ISC",
        "Apache-2.0",
        "MIT WITH Classpath-exception-2.0",
    ] {
        assert!(!is_allowed(expression, &allowed), "{expression}");
    }
}

#[test]
fn the_checks_find_what_deny_toml_refuses() {
    const CRATES_IO: &str = "https://github.com/rust-lang/crates.io-index";
    let package = |name: &str, version: &str, licence: &str, source: Option<&str>| json!({"id": format!("{name}@{version}"), "name": name, "version": version, "license": licence, "source": source});
    let crates_io = format!("registry+{CRATES_IO}");
    let from_crates_io = |name: &str, version: &str| package(name, version, "MIT", Some(&crates_io));
    let of = |packages: Vec<Value>| json!({"packages": packages, "workspace_members": ["ours@0.1.0"]});
    let ours = || package("ours", "0.1.0", "MIT OR Apache-2.0", None);
    let policy = |doubles: &[(&str, &str)]| Policy {
        licences: vec!["MIT".to_owned()],
        registries: vec![CRATES_IO.to_owned()],
        doubles: doubles
            .iter()
            .map(|(double, reason)| ((*double).to_owned(), (*reason).to_owned()))
            .collect(),
        ..Policy::default()
    };

    let two = of(vec![ours(), from_crates_io("a", "1.0.0"), from_crates_io("a", "2.0.0")]);
    assert_none(&findings(&two, &policy(&[("a@1.0.0", "b uses it")])));
    assert_eq!(findings(&two, &policy(&[])), ["a stands in versions 1.0.0, 2.0.0"]);
    assert_eq!(findings(&two, &policy(&[("a@1.0.0", "")])), ["deny.toml: a@1.0.0 has no reason"]);
    let three =
        of(vec![from_crates_io("a", "1.0.0"), from_crates_io("a", "2.0.0"), from_crates_io("a", "3.0.0")]);
    assert_eq!(findings(&three, &policy(&[("a@1.0.0", "b uses it")])).len(), 1);
    let gone = of(vec![from_crates_io("a", "2.0.0")]);
    assert_eq!(findings(&gone, &policy(&[("a@1.0.0", "b")])).len(), 1);
    assert_eq!(findings(&gone, &policy(&[("a@2.0.0", "b")])).len(), 1);

    let wrong = of(vec![
        package("git", "1.0.0", "MIT", Some("git+https://example.com/git#1")),
        package("mirror", "1.0.0", "MIT", Some("registry+https://example.com/index")),
        package("path", "1.0.0", "MIT", None),
        package("copyleft", "1.0.0", "GPL-3.0", Some(&crates_io)),
        package("silent", "1.0.0", "", Some(&crates_io)),
    ]);
    assert_eq!(findings(&wrong, &policy(&[])).len(), 5, "{:#?}", findings(&wrong, &policy(&[])));
    let unused = Policy { licences: vec!["MIT".to_owned(), "Zlib".to_owned()], ..policy(&[]) };
    assert_eq!(findings(&gone, &unused), ["deny.toml: no dependency is under Zlib"]);
}
