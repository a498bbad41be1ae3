//! Versions, lints and everything else that a manifest can inherit are declared once, in the workspace.

use crate::assert_none;
use tests::project::{self, Source};

const INHERITED: [&str; 5] = ["version", "edition", "rust-version", "license", "publish"];

/// The entries that a manifest declares itself instead of inheriting them. One that is the root of a workspace of its own
/// has nothing to inherit from.
fn declared_here(manifest: &Source) -> Vec<String> {
    if manifest.text.lines().any(|line| line == "[workspace]") {
        return Vec::new();
    }
    let mut findings = Vec::new();
    let mut finding = |what: &str| findings.push(format!("{}: {what}", manifest.path));
    let mut section = "";
    let mut inherits_lints = false;
    let mut inherited = Vec::new();
    for line in manifest.text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'))
    {
        if line.starts_with('[') {
            section = line;
            continue;
        }
        let (name, value) = line.split_once('=').unwrap_or((line, ""));
        let (name, value) = (name.trim(), value.trim());
        match section {
            "[package]" => inherited.extend(name.strip_suffix(".workspace").filter(|_| value == "true")),
            "[lints]" => inherits_lints |= name == "workspace" && value == "true",
            _ if section.ends_with("dependencies]") => {
                let whole = name.ends_with(".workspace") && value == "true";
                if !whole && !value.starts_with("{ workspace = true") {
                    finding(&format!("{name} is not the workspace's"));
                }
            }
            _ => {}
        }
    }
    for name in INHERITED.iter().filter(|name| !inherited.contains(name)) {
        finding(&format!("{name} is not the workspace's"));
    }
    if !inherits_lints {
        finding("the lints are not the workspace's");
    }
    findings
}

#[test]
fn manifests_inherit() {
    let mut findings = Vec::new();
    for directory in ["functions", "shared", "tests"] {
        let sources = project::sources(directory);
        findings.extend(
            sources.iter().filter(|source| source.path.ends_with("Cargo.toml")).flat_map(declared_here),
        );
    }
    assert_none(&findings);
}

#[test]
fn the_checks_find_repeated_declarations() {
    let inherited = INHERITED.map(|name| format!("{name}.workspace = true\n")).concat();
    let manifest = |dependencies: &str, lints: &str| Source {
        path: "Cargo.toml".to_owned(),
        text: format!(
            "[package]\nname = \"x\"\n{inherited}\n[dependencies]\n{dependencies}\n\n[lints]\n{lints}\n"
        ),
    };
    let right = manifest("a.workspace = true\nb = { workspace = true, features = [] }", "workspace = true");
    assert_none(&declared_here(&right));
    assert_eq!(declared_here(&manifest("a = \"1\"\nb = { version = \"1\" }", "workspace = true")).len(), 2);
    assert_eq!(declared_here(&manifest("", "")).len(), 1);
    let bare = Source { path: "Cargo.toml".to_owned(), text: "[package]\nversion = \"1\"\n".to_owned() };
    assert_eq!(declared_here(&bare).len(), INHERITED.len() + 1);
}
