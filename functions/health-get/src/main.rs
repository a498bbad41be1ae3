//! `GET /health`: tells that the gateway reaches a function.

use runtime::App;
use serde_json::json;
use web::{Problem, Request, Response, respond};

fn main() -> runtime::Exit {
    runtime::serve(get_health)
}

async fn get_health(_app: &App, _request: Request) -> Result<Response, Problem> {
    respond::ok(&json!({"status": "ok"}))
}
