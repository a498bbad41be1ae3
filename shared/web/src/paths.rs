//! The paths of the contract, and the methods that each has.

use crate::problem::{Kind, Problem};
use http::header;

/// A path item of the OpenAPI document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PathItem {
    /// As in `/products/{productId}`.
    pub template: &'static str,
    /// In upper case, sorted.
    pub methods: &'static [&'static str],
}

include!(concat!(env!("OUT_DIR"), "/paths.rs"));

impl PathItem {
    /// The refusal of a method that the path does not have.
    pub fn refusal(&self) -> Problem {
        let allowed = self.methods.join(", ");
        let detail = format!("{} takes {allowed}.", self.template);
        Problem::new(Kind::MethodNotAllowed, detail).with_header(header::ALLOW, allowed)
    }
}

/// The path item that a path of a request belongs to. A template without parameters comes before one with.
pub fn find(path: &str) -> Option<&'static PathItem> {
    let literal = PATHS.iter().find(|item| item.template == path);
    literal.or_else(|| PATHS.iter().find(|item| matches(item.template, path)))
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
    use crate::openapi::DOCUMENT;
    use serde_json::Value;

    #[test]
    fn the_table_has_the_paths_of_the_document() {
        let document: Value = serde_json::from_str(DOCUMENT).unwrap();
        let listed: Vec<_> = PATHS.iter().map(|item| (item.template, item.methods.len())).collect();
        let methods = |item: &Value| {
            let listed = item.as_object().unwrap().values().filter(|value| value.is_object()).count();
            // HEAD is not listed, and answered wherever GET is.
            listed + usize::from(item["get"].is_object())
        };
        let mut documented: Vec<_> = document["paths"]
            .as_object()
            .unwrap()
            .iter()
            .map(|(path, item)| (path.as_str(), methods(item)))
            .collect();
        documented.sort_by_key(|(path, _)| listed.iter().position(|(listed, _)| listed == path));
        assert_eq!(listed, documented);
    }

    #[test]
    fn request_paths_match_templates() {
        let template = |path| find(path).map(|item| item.template);
        assert_eq!(template("/products/x"), Some("/products/{productId}"));
        assert_eq!(template("/users/me"), Some("/users/me"));
        assert_eq!(template("/products/"), None);
        assert_eq!(template("/nothing"), None);
        assert_eq!(find("/products").unwrap().methods, ["GET", "HEAD", "POST"]);
    }
}
