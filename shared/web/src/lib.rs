//! What HTTP needs: requests, responses, problems, entity tags, cursors, tokens. Nothing here knows AWS.

pub mod asked;
pub mod cursor;
pub mod etag;
pub mod openapi;
pub mod pages;
pub mod password;
pub mod problem;
pub mod query;
pub mod request;
pub mod respond;
pub mod token;

pub use asked::Asked;
pub use problem::Problem;
pub use request::Request;
pub use respond::Response;
