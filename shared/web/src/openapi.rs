//! The contract, as an OpenAPI 3.1 document. The build script assembles it from the parts in openapi/.

use crate::{
    content::{self, Content},
    request::Request,
    response::Response,
};

/// The document.
pub const DOCUMENT: &str = include_str!(concat!(env!("OUT_DIR"), "/openapi.json"));

/// The document in each encoding.
pub const CONTENT: Content = Content {
    plain: DOCUMENT,
    gzip: include_bytes!(concat!(env!("OUT_DIR"), "/openapi.json.gz")),
    brotli: include_bytes!(concat!(env!("OUT_DIR"), "/openapi.json.br")),
};

/// How long a client may use the document before it asks again.
const CACHE_CONTROL: &str = "public, max-age=300";

/// The document in the encoding that the client likes best.
pub fn response(request: &Request) -> Response {
    content::response(request, "application/json", &CONTENT, CACHE_CONTROL)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::problem::Kind;
    use domain::currency::Currency;
    use http::{StatusCode, header};
    use serde_json::Value;
    use std::collections::BTreeSet;

    fn document() -> Value {
        serde_json::from_str(DOCUMENT).unwrap()
    }

    fn request(accept: &'static str) -> Request {
        Request::of_test(http::Method::GET, "/openapi.json", &[(header::ACCEPT_ENCODING, accept)])
    }

    #[test]
    fn each_encoding_is_a_representation_of_its_own() {
        let representations = ["br", "gzip", "identity"].map(|accept| response(&request(accept)));
        let tags: BTreeSet<_> = representations.iter().map(|answer| &answer.headers[header::ETAG]).collect();
        assert_eq!(tags.len(), 3);
        let coding = |answer: &Response| answer.headers.get(header::CONTENT_ENCODING).cloned();
        let codings = representations.each_ref().map(coding);
        assert_eq!(
            codings.map(|coding| coding.map_or(String::new(), |name| name.to_str().unwrap().to_owned())),
            ["br", "gzip", ""]
        );
        assert_eq!(representations[2].body.as_text(), DOCUMENT);
    }

    #[test]
    fn a_client_with_the_current_document_gets_304() {
        let mut request = request("br");
        let first = response(&request);
        request.headers.insert(header::IF_NONE_MATCH, first.headers[header::ETAG].clone());
        let second = response(&request).unless_known_to(&request).unwrap();
        assert_eq!((second.status, second.body.len()), (StatusCode::NOT_MODIFIED, 0));
        for name in [header::ETAG, header::VARY, header::CACHE_CONTROL] {
            assert_eq!(second.headers[&name], first.headers[&name]);
        }
        assert_eq!(second.headers.len(), 3);
        request.headers.insert(header::ACCEPT_ENCODING, "gzip".parse().unwrap());
        assert_eq!(response(&request).unless_known_to(&request).unwrap().status, StatusCode::OK);
    }

    #[test]
    fn the_document_lists_all_problem_types() {
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
    fn the_document_lists_all_currencies() {
        let documented = document()["components"]["schemas"]["Currency"]["enum"].clone();
        let ours: Vec<_> = Currency::all().map(|currency| Value::from(currency.code())).collect();
        assert_eq!(documented, Value::from(ours));
    }

    /// The names themselves are too many for generators of clients. The pattern, the version and the examples tell which they are.
    #[test]
    fn the_document_describes_all_time_zones() {
        let documented = &document()["components"]["schemas"]["TimeZone"];
        let (names, version) = domain::venue::time_zones();
        let names: BTreeSet<_> = names.collect();
        assert!(documented["description"].as_str().unwrap().contains(&format!("version {version},")));
        let examples = documented["examples"].as_array().unwrap();
        assert!(!examples.is_empty() && examples.iter().all(|name| names.contains(name.as_str().unwrap())));

        assert_eq!(documented["maxLength"], names.iter().map(|name| name.len()).max().unwrap());
        let part = "[A-Z][A-Za-z0-9_+-]*";
        assert_eq!(documented["pattern"], format!("^{part}(?:/{part}){{0,2}}$"));
        let fits = |part: &str| {
            part.starts_with(|c: char| c.is_ascii_uppercase())
                && part.chars().all(|c| c.is_ascii_alphanumeric() || "_+-".contains(c))
        };
        for name in names {
            assert!(name.split('/').count() <= 3 && name.split('/').all(fits), "{name}");
        }
    }
}
