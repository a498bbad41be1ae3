//! `GET /health`: a health check, which shows that the gateway reaches a function.

use runtime::Stateless;
use serde_json::json;
use web::{Problem, Request, Response, respond};

fn main() -> runtime::Exit {
    runtime::serve(get_health)
}

async fn get_health(_app: &Stateless, _request: Request) -> Result<Response, Problem> {
    respond::ok(&json!({"status": "ok"}))
}
