//! `GET /openapi.json`: the OpenAPI document, compressed as the client accepts it.

use runtime::Stateless;
use web::{Problem, Request, Response, openapi};

fn main() -> runtime::Exit {
    runtime::serve(get_openapi)
}

async fn get_openapi(_app: &Stateless, request: Request) -> Result<Response, Problem> {
    openapi::response(&request).unless_known_to(&request)
}
