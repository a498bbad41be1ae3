//! The modules of a crate of `shared/` have no dependency cycle, and no two public types of the workspace share a name.

use crate::assert_none;
use std::collections::{BTreeMap, BTreeSet};
use syn::{
    Item, ItemMod, ItemUse, Path, UseTree, Visibility,
    visit::{self, Visit},
};
use tests::project::{self, Source};

/// The modules of a crate, by their paths within it (`engine::item`; empty for the root), and what each uses.
type Modules = BTreeMap<String, Uses>;

/// The uses and declarations of a module.
#[derive(Debug, Clone, Default)]
struct Uses {
    /// Paths within the crate that it uses.
    paths: BTreeSet<String>,
    /// Names that it re-exports, with their full paths.
    exports: BTreeMap<String, String>,
    /// Public types that it declares.
    types: BTreeSet<String>,
}

impl<'a> Visit<'a> for Uses {
    fn visit_item(&mut self, item: &'a Item) {
        let declared = match item {
            Item::Struct(it) => Some((&it.vis, &it.ident)),
            Item::Enum(it) => Some((&it.vis, &it.ident)),
            Item::Trait(it) => Some((&it.vis, &it.ident)),
            Item::Type(it) => Some((&it.vis, &it.ident)),
            _ => None,
        };
        if let Some((Visibility::Public(_), name)) = declared {
            self.types.insert(name.to_string());
        }
        if let Item::Macro(it) = item {
            self.types.extend(types_in_macro(&it.mac.tokens.to_string()));
        }
        visit::visit_item(self, item);
    }

    fn visit_item_mod(&mut self, module: &'a ItemMod) {
        // Unit tests may use any module.
        if module.ident != "tests" {
            visit::visit_item_mod(self, module);
        }
    }

    fn visit_item_use(&mut self, item: &'a ItemUse) {
        let mut paths = Vec::new();
        leaves("", &item.tree, &mut paths);
        for path in paths {
            if let Some(within) = path.strip_prefix("crate::") {
                self.paths.insert(within.to_owned());
            } else if !matches!(item.vis, Visibility::Inherited) {
                let name = path.rsplit("::").next().unwrap_or_default().to_owned();
                self.exports.insert(name, path);
            }
        }
    }

    fn visit_path(&mut self, path: &'a Path) {
        let names: Vec<String> = path.segments.iter().map(|segment| segment.ident.to_string()).collect();
        if let [first, rest @ ..] = names.as_slice()
            && first == "crate"
        {
            self.paths.insert(rest.join("::"));
        }
        visit::visit_path(self, path);
    }
}

/// The public types that a macro declares, as far as it has their names and not its caller.
fn types_in_macro(tokens: &str) -> Vec<String> {
    let words: Vec<&str> = tokens.split_whitespace().collect();
    let declared = words.windows(3).filter_map(|window| match window {
        ["pub", "enum" | "struct" | "trait" | "type", name] if *name != "$" => {
            Some(name.trim_end_matches(';').to_owned())
        }
        _ => None,
    });
    declared.collect()
}

/// Collects the paths that a use declaration names.
fn leaves(before: &str, tree: &UseTree, found: &mut Vec<String>) {
    match tree {
        UseTree::Path(path) => leaves(&format!("{before}{}::", path.ident), &path.tree, found),
        UseTree::Name(name) => found.push(format!("{before}{}", name.ident)),
        UseTree::Rename(rename) => found.push(format!("{before}{}", rename.ident)),
        UseTree::Glob(_) => found.push(before.trim_end_matches("::").to_owned()),
        UseTree::Group(group) => group.items.iter().for_each(|tree| leaves(before, tree, found)),
    }
}

fn modules(root: &str, sources: &[Source]) -> Modules {
    let mut modules = Modules::new();
    for source in sources.iter().filter(|source| source.is("rs")) {
        let Some(path) = source.path.strip_prefix(root) else { continue };
        let path = path.trim_start_matches('/').trim_end_matches(".rs").trim_end_matches("/mod");
        let name = if path == "lib" { String::new() } else { path.replace('/', "::") };
        let mut uses = Uses::default();
        uses.visit_file(&syn::parse_file(&source.text).expect("code that parses"));
        modules.insert(name, uses);
    }
    modules
}

/// The module that a path refers to. A name that the root re-exports belongs to the module that declares it.
fn target<'a>(modules: &'a Modules, path: &str) -> Option<&'a str> {
    let first = path.split("::").next().unwrap_or_default();
    let exported = modules.get("").and_then(|root| root.exports.get(first));
    let path = exported.filter(|_| !modules.contains_key(first)).map_or(path, String::as_str);
    let mut longest = path;
    loop {
        if let Some((name, _)) = modules.get_key_value(longest) {
            return Some(name);
        }
        longest = longest.rsplit_once("::")?.0;
    }
}

/// The modules on a dependency cycle. The root uses all other modules and is not checked.
fn circular(modules: &Modules) -> BTreeSet<&str> {
    let edges: BTreeMap<&str, BTreeSet<&str>> = modules
        .iter()
        .filter(|(name, _)| !name.is_empty())
        .map(|(name, uses)| {
            let targets = uses.paths.iter().filter_map(|path| target(modules, path));
            (name.as_str(), targets.filter(|target| !target.is_empty() && target != name).collect())
        })
        .collect();
    let reaches_itself = |start: &str| {
        let (mut seen, mut left) = (BTreeSet::new(), vec![start]);
        while let Some(name) = left.pop() {
            for next in edges.get(name).into_iter().flatten() {
                if *next == start {
                    return true;
                }
                if seen.insert(*next) {
                    left.push(next);
                }
            }
        }
        false
    };
    edges.keys().copied().filter(|name| reaches_itself(name)).collect()
}

/// The crates in a folder.
fn crates(folder: &str) -> Vec<(String, Modules)> {
    let names = project::directories(folder);
    let crates = names.into_iter().map(|name| {
        let root = format!("{folder}/{name}/src");
        let modules = modules(&root, &project::sources(&root));
        (name, modules)
    });
    crates.collect()
}

/// Names of public types that more than one module declares.
fn shared_names(crates: &[(String, Modules)]) -> Vec<String> {
    let mut places: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for (name, modules) in crates {
        for (module, uses) in modules {
            for declared in &uses.types {
                places.entry(declared).or_default().push(format!("{name}::{module}"));
            }
        }
    }
    let shared = places.into_iter().filter(|(_, places)| places.len() > 1);
    shared.map(|(name, places)| format!("{name} is declared by {}", places.join(" and "))).collect()
}

#[test]
fn modules_use_each_other_in_one_direction() {
    let crates = crates("shared");
    let circles = crates.iter().map(|(name, modules)| (name, circular(modules)));
    let findings: Vec<String> = circles
        .filter(|(_, circle)| !circle.is_empty())
        .map(|(name, circle)| format!("shared/{name}: on a circle: {circle:?}"))
        .collect();
    assert_none(&findings);
}

/// The one exception: `app::table::Table` is a pointer to `table`'s type, and has its name because it is the type of
/// the field `table` in a function's clients.
const ALIKE: [&str; 1] = ["Table is declared by app::table and table::engine::table"];

#[test]
fn no_two_public_types_have_one_name() {
    let mut findings = shared_names(&[crates("shared"), crates("functions")].concat());
    findings.retain(|finding| !ALIKE.contains(&finding.as_str()));
    assert_none(&findings);
}

#[test]
fn circles_and_shared_names_are_found() {
    let source =
        |path: &str, text: &str| Source { path: format!("shared/x/src/{path}"), text: text.to_owned() };
    let texts = [
        source("lib.rs", "mod a; mod b; mod c; pub use b::Shared;"),
        source("a.rs", "use crate::Shared; pub struct Only; fn f() { crate::inner::deep::g() }"),
        source("b.rs", "use crate::{c::{self, One}}; pub struct Shared;"),
        source("c.rs", "pub enum Twice {} #[cfg(test)] mod tests { use crate::a::Only; }"),
        source("d.rs", "macro_rules! m { ($name:ident) => { pub struct $name; pub struct Only; } }"),
        source("inner/mod.rs", "pub type Twice = u8;"),
        source("inner/deep.rs", "use crate::inner::other; pub fn g() {}"),
    ];
    let right = modules("shared/x/src", &texts);
    assert_eq!(circular(&right), BTreeSet::new());
    let mut texts = texts.to_vec();
    texts[3].text.push_str("fn f() -> crate::a::Only {}");
    assert_eq!(circular(&modules("shared/x/src", &texts)), BTreeSet::from(["a", "b", "c"]));
    let found = shared_names(&[("x".to_owned(), right)]);
    assert_eq!(found, ["Only is declared by x::a and x::d", "Twice is declared by x::c and x::inner"]);
}
