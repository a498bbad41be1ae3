//! `GET /openapi.json`: the contract.

use http::StatusCode;
use runtime::App;
use web::{Problem, Request, Response, openapi, respond};

fn main() -> runtime::Exit {
    runtime::serve(get_openapi)
}

async fn get_openapi(_app: &App, _request: Request) -> Result<Response, Problem> {
    Ok(respond::text(StatusCode::OK, "application/json", openapi::DOCUMENT.to_owned()))
}
