//! `GET /` and `GET /docs` and `GET /page/{file}`: the web page over the API, and the page of its contract.

use http::{HeaderName, header};
use runtime::Stateless;
use web::{
    Problem, Request, Response,
    content::{self, Content},
    problem::Kind,
};

/// A file that the build script made of a source in page/.
struct File {
    name: &'static str,
    media_type: &'static str,
    content: Content,
}

include!(concat!(env!("OUT_DIR"), "/files.rs"));

/// A file whose name has a hash of its content never changes.
const FOREVER: &str = "public, max-age=31536000, immutable";

/// The two documents name the files, so a browser asks each time whether it has the current one.
const REVALIDATED: &str = "public, no-cache";

/// What the page may load and run: only its own files and the API; pictures of products also from other hosts.
const PAGE_POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' https: data:; \
     base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'";

/// RapiDoc makes its styles and its markup when it runs.
const DOCS_POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; connect-src 'self'; \
     img-src 'self' data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// The header fields of a document besides its policy.
const DOCUMENT_HEADERS: [(HeaderName, &str); 3] = [
    (header::REFERRER_POLICY, "no-referrer"),
    (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
    (
        HeaderName::from_static("permissions-policy"),
        "geolocation=(self), camera=(), microphone=(), payment=()",
    ),
];

fn main() -> runtime::Exit {
    runtime::serve(get_page)
}

async fn get_page(_app: &Stateless, request: Request) -> Result<Response, Problem> {
    let (name, policy) = match request.path_parameters.get("file") {
        Some(name) => (name.as_str(), None),
        None if request.path == "/docs" => ("docs.html", Some(DOCS_POLICY)),
        None => ("index.html", Some(PAGE_POLICY)),
    };
    let is_document = |file: &&File| file.media_type.starts_with("text/html");
    let file = FILES.iter().find(|file| file.name == name && is_document(file) == policy.is_some());
    let file = file.ok_or_else(|| Problem::new(Kind::NotFound, "There is no such file of the page."))?;
    let caching = if policy.is_some() { REVALIDATED } else { FOREVER };
    let response = content::response(&request, file.media_type, &file.content, caching);
    let response = response.unless_known_to(&request)?;
    Ok(match policy {
        Some(policy) => with_policy(response, policy),
        None => response,
    })
}

fn with_policy(response: Response, policy: &str) -> Response {
    let headers = DOCUMENT_HEADERS.into_iter();
    headers.fold(response.with(header::CONTENT_SECURITY_POLICY, policy), |response, (name, value)| {
        response.with(name, value)
    })
}
