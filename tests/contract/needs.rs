//! What each function needs from the template: `[package.metadata.needs]` of its Cargo.toml, here called its manifest,
//! lists the types of its clients and the access patterns of the table that it calls.
//!
//! The manifest is generated: `BLESS=1 cargo test --workspace --test contract` writes it from the function's code, and
//! without BLESS the same test compares it with the code. The compiler checks that the code declares its clients.

use crate::{assert_none, differences};
use app::{Needs, catalog::CLIENTS};
use proc_macro2::TokenStream;
use serde_json::Value;
use std::{collections::BTreeSet, fs, sync::LazyLock};
use syn::{Expr, ExprMethodCall, ItemMacro, Macro, Member, Token, punctuated::Punctuated, visit::Visit};
use tests::project;

/// The needs of one function.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Manifest {
    /// The types of its clients, such as `Machines<OrderPlace>`.
    pub clients: BTreeSet<String>,
    /// The access patterns that it calls.
    pub operations: BTreeSet<String>,
}

impl Manifest {
    /// The environment variables that its clients read.
    pub fn settings(&self) -> BTreeSet<String> {
        self.needs().flat_map(|needs| needs.settings).map(|setting| (*setting).to_owned()).collect()
    }

    /// The access patterns that it calls, and those that its clients call.
    pub fn all_operations(&self) -> BTreeSet<String> {
        let of_clients =
            self.needs().flat_map(|needs| needs.operations).map(|operation| (*operation).to_owned());
        self.operations.iter().cloned().chain(of_clients).collect()
    }

    fn needs(&self) -> impl Iterator<Item = &'static Needs> {
        let has = |name: &str| self.clients.contains(name);
        CLIENTS.iter().filter(move |(name, _)| has(name)).map(|(_, needs)| needs)
    }

    /// Reads `[package.metadata.needs]` from the output of `cargo metadata`.
    pub fn parse(needs: &Value) -> Self {
        let names = |member: &str| {
            let names = needs[member].as_array().into_iter().flatten();
            names.filter_map(Value::as_str).map(str::to_owned).collect()
        };
        Self { clients: names("clients"), operations: names("operations") }
    }

    /// The clients that a function's code declares and the access patterns that it calls.
    fn of_code(text: &str) -> Self {
        let mut found = Found(Self::default());
        found.visit_file(&syn::parse_file(text).expect("a function's code parses"));
        found.0
    }

    /// The section of Cargo.toml; empty if the function needs nothing.
    fn to_toml(&self) -> String {
        let list = |name: &str, items: &BTreeSet<String>| match items.len() {
            0 => String::new(),
            _ => format!(
                "{name} = [{}]\n",
                items.iter().map(|item| format!("\"{item}\"")).collect::<Vec<_>>().join(", ")
            ),
        };
        let lists = list("clients", &self.clients) + &list("operations", &self.operations);
        if lists.is_empty() { String::new() } else { format!("{SECTION}\n{lists}\n") }
    }
}

const SECTION: &str = "[package.metadata.needs]";

/// Collects clients and access patterns from parsed code.
struct Found(Manifest);

impl<'a> Visit<'a> for Found {
    /// `app::clients! { name: Type, … }`
    fn visit_item_macro(&mut self, item: &'a ItemMacro) {
        if item.mac.path.segments.last().is_some_and(|last| last.ident == "clients") {
            self.0.clients.extend(types_of_fields(&item.mac.tokens));
        }
    }

    /// The arguments of a macro such as `try_join!`.
    fn visit_macro(&mut self, invocation: &'a Macro) {
        let arguments = Punctuated::<Expr, Token![,]>::parse_terminated;
        for argument in invocation.parse_body_with(arguments).unwrap_or_default() {
            let mut found = Found(Manifest::default());
            found.visit_expr(&argument);
            self.0.operations.extend(found.0.operations);
        }
    }

    /// `app.table.operation(…)`
    fn visit_expr_method_call(&mut self, call: &'a ExprMethodCall) {
        if let Expr::Field(field) = &*call.receiver
            && let Member::Named(name) = &field.member
            && name == "table"
        {
            self.0.operations.insert(call.method.to_string());
        }
        syn::visit::visit_expr_method_call(self, call);
    }
}

/// The types in `name: Type, name: Type`, with white space removed.
fn types_of_fields(tokens: &TokenStream) -> Vec<String> {
    let text: String = tokens.to_string().split_whitespace().collect();
    let field = |field: &str| field.split_once(':').map(|(_, name)| name.to_owned());
    text.split(',').filter_map(field).collect()
}

/// The manifests of all functions, by function name. They are read once, before a test with BLESS=1 writes them.
pub fn manifests() -> &'static [(String, Manifest)] {
    static MANIFESTS: LazyLock<Vec<(String, Manifest)>> = LazyLock::new(|| {
        let metadata = crate::imports::metadata();
        let packages = metadata["packages"].as_array().into_iter().flatten();
        let is_function = |package: &&Value| {
            package["manifest_path"].as_str().is_some_and(|path| path.contains("/functions/"))
        };
        let manifest = |package: &Value| {
            let name = package["name"].as_str().unwrap_or_default().to_owned();
            (name, Manifest::parse(&package["metadata"]["needs"]))
        };
        packages.filter(is_function).map(manifest).collect()
    });
    &MANIFESTS
}

/// The text of a Cargo.toml with its manifest replaced by this one.
fn with_manifest(text: &str, manifest: &Manifest) -> String {
    let (before, rest) = text.split_once(SECTION).unwrap_or((text, ""));
    let after = if rest.is_empty() { "" } else { rest.split_once("\n\n").map_or("", |(_, after)| after) };
    match before.split_once("[dependencies]") {
        Some((head, tail)) if rest.is_empty() => format!("{head}{}[dependencies]{tail}", manifest.to_toml()),
        _ => format!("{before}{}{after}", manifest.to_toml()),
    }
}

#[test]
fn each_manifest_says_what_the_code_declares_and_calls() {
    let mut findings = Vec::new();
    for (name, manifest) in manifests() {
        let Some(text) = project::function(name) else { continue };
        let of_code = Manifest::of_code(&text);
        if *manifest == of_code {
            continue;
        }
        if std::env::var_os("BLESS").is_some() {
            let path = project::root().join("functions").join(name).join("Cargo.toml");
            let toml = fs::read_to_string(&path).expect("a function has a Cargo.toml");
            fs::write(&path, with_manifest(&toml, &of_code)).expect("Cargo.toml can be written");
            continue;
        }
        let (code, toml) = (format!("the code of {name}"), "its Cargo.toml (BLESS=1 writes it)");
        findings.extend(differences((&code, &of_code.clients), (toml, &manifest.clients)));
        findings.extend(differences((&code, &of_code.operations), (toml, &manifest.operations)));
    }
    assert_none(&findings);
}

/// The checks would take a client that is missing from the catalog as one without needs.
#[test]
fn every_client_of_a_function_is_in_the_catalog() {
    let known: BTreeSet<String> = CLIENTS.iter().map(|(name, _)| (*name).to_owned()).collect();
    let used: BTreeSet<String> =
        manifests().iter().flat_map(|(_, manifest)| manifest.clients.clone()).collect();
    assert_none(&differences(("shared/app/src/catalog.rs", &known), ("the functions", &used)));
}

#[test]
fn clients_and_calls_are_found_in_code() {
    let code = "app::clients! { table: Table, machines: Machines<OrderPlace>, }
        async fn f(app: &App) { g(app.table.user(id).await?, async || app.table.order(app.table.find(1)).await); other.call();
            futures::try_join!(app.table.review(id), other(app.table.rating(id)))?; }";
    let manifest = Manifest::of_code(code);
    assert_eq!(manifest.clients, ["Machines<OrderPlace>", "Table"].map(str::to_owned).into());
    assert_eq!(manifest.operations, ["find", "order", "rating", "review", "user"].map(str::to_owned).into());
    assert_eq!(manifest.settings(), ["ORDER_PLACE_MACHINE_ARN", "TABLE_NAME"].map(str::to_owned).into());
    assert_eq!(Manifest::of_code("fn main() {}"), Manifest::default());
}

#[test]
fn a_manifest_is_written_into_a_cargo_toml_and_over_an_older_one() {
    let of = |clients: &[&str]| Manifest {
        clients: clients.iter().map(|name| (*name).to_owned()).collect(),
        operations: BTreeSet::new(),
    };
    let bare = "[package]\nname = \"a\"\n\n[dependencies]\nb = \"1\"\n";
    let once = with_manifest(bare, &of(&["Table"]));
    assert_eq!(
        once,
        "[package]\nname = \"a\"\n\n[package.metadata.needs]\nclients = [\"Table\"]\n\n[dependencies]\nb = \"1\"\n"
    );
    assert_eq!(
        with_manifest(&once, &of(&["Cache", "Table"])),
        once.replace("[\"Table\"]", "[\"Cache\", \"Table\"]")
    );
    assert_eq!(with_manifest(&once, &of(&[])), bare);
}
