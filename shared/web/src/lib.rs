//! HTTP: requests, responses, problems, entity tags, cursors, tokens. Independent of AWS.

pub mod client_key_document;
pub mod concert_status;
pub mod content;
pub mod cursor;
pub mod encoding;
pub mod etag;
pub mod feature_document;
pub mod json;
pub mod openapi;
pub mod order_problem;
pub mod password;
pub mod paths;
pub mod price_document;
pub mod price_splice;
pub mod problem;
pub mod product_document;
pub mod query;
pub mod refresh;
pub mod refresh_cookie;
pub mod request;
pub mod respond;
pub mod response;
pub mod security_headers;
pub mod submission;
pub mod token;
pub mod visitor_token;
pub mod watch_document;

// The build script's own code, for its tests.
#[cfg(test)]
#[path = "../build/assemble.rs"]
mod assemble;

pub use problem::Problem;
pub use request::Request;
pub use response::Response;
pub use submission::Submission;
