//! The contract, as an OpenAPI 3.1 document.

use serde_json::Value;

/// The document, as it is served.
pub const DOCUMENT: &str = include_str!("openapi.json");

/// The methods of an OpenAPI path item.
const METHODS: [&str; 8] = ["delete", "get", "head", "options", "patch", "post", "put", "trace"];

/// A path of the document: its template, and the methods that it has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PathItem {
    /// As in `/products/{productId}`.
    pub template: String,
    /// In upper case, sorted.
    pub methods: Vec<String>,
}

/// The paths of the document.
pub fn paths() -> Vec<PathItem> {
    let document: Value = serde_json::from_str(DOCUMENT).unwrap_or_default();
    let Some(paths) = document["paths"].as_object() else { return Vec::new() };
    let methods = |item: &Value| {
        let has = METHODS.iter().filter(|method| item.get(method).is_some());
        has.map(|method| method.to_ascii_uppercase()).collect()
    };
    paths
        .iter()
        .map(|(template, item)| PathItem { template: template.clone(), methods: methods(item) })
        .collect()
}

/// The path item that a path of a request belongs to. A template without parameters comes before one with.
pub fn find<'a>(paths: &'a [PathItem], path: &str) -> Option<&'a PathItem> {
    let literal = paths.iter().find(|item| item.template == path);
    literal.or_else(|| paths.iter().find(|item| matches(&item.template, path)))
}

fn matches(template: &str, path: &str) -> bool {
    let is_parameter = |part: &str| part.starts_with('{') && part.ends_with('}');
    let (mut wanted, mut given) = (template.split('/'), path.split('/'));
    loop {
        match (wanted.next(), given.next()) {
            (None, None) => return true,
            (Some(wanted), Some(given)) if wanted == given || is_parameter(wanted) && !given.is_empty() => {}
            _ => return false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::problem::Kind;
    use domain::currency::Currency;
    use std::collections::BTreeSet;

    fn document() -> Value {
        serde_json::from_str(DOCUMENT).unwrap()
    }

    #[test]
    fn paths_are_found_by_what_they_look_like() {
        let paths = paths();
        let template = |path| find(&paths, path).map(|item| item.template.as_str());
        assert_eq!(template("/products/x"), Some("/products/{productId}"));
        assert_eq!(template("/users/me"), Some("/users/me"));
        assert_eq!(template("/products/"), None);
        assert_eq!(template("/nothing"), None);
        assert_eq!(find(&paths, "/products").unwrap().methods, ["GET", "POST"]);
    }

    #[test]
    fn the_document_lists_the_problems_that_there_are() {
        let documented = document()["components"]["schemas"]["ProblemType"]["oneOf"].clone();
        let documented: Vec<(String, String)> = documented
            .as_array()
            .unwrap()
            .iter()
            .map(|kind| {
                (kind["const"].as_str().unwrap().to_owned(), kind["title"].as_str().unwrap().to_owned())
            })
            .collect();
        let ours: Vec<_> = Kind::ALL.iter().map(|kind| (kind.uri(), kind.describe().2.to_owned())).collect();
        assert_eq!(documented, ours);
    }

    #[test]
    fn the_document_lists_the_currencies_that_there_are() {
        let documented = document()["components"]["schemas"]["Currency"]["enum"].clone();
        let ours: Vec<_> = Currency::all().map(|currency| Value::from(currency.code())).collect();
        assert_eq!(documented, Value::from(ours));
    }
    #[test]
    fn the_document_lists_the_time_zones_that_there_are() {
        let documented = &document()["components"]["schemas"]["TimeZone"];
        let (names, version) = domain::venue::time_zones();
        let listed = documented["enum"].as_array().unwrap().iter().filter_map(Value::as_str);
        let (ours, listed): (BTreeSet<_>, Vec<_>) = (names.collect(), listed.collect());
        assert_eq!(listed.iter().copied().collect::<BTreeSet<_>>(), ours);
        assert_eq!(listed.len(), ours.len());
        assert!(documented["description"].as_str().unwrap().contains(&format!("version {version},")));
    }
}
