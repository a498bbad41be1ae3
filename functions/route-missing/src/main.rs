//! `$default`: refuses what no route takes, a path that does not exist with 404, a method that a path does not have with 405.

use http::header;
use runtime::App;
use std::sync::LazyLock;
use web::{
    Problem, Request, Response,
    openapi::{self, PathItem},
    problem::Kind,
};

static PATHS: LazyLock<Vec<PathItem>> = LazyLock::new(openapi::paths);

fn main() -> runtime::Exit {
    runtime::serve(refuse)
}

async fn refuse(_app: &App, request: Request) -> Result<Response, Problem> {
    let Some(item) = openapi::find(&PATHS, &request.path) else {
        return Err(Problem::new(Kind::NotFound, "There is no such path."));
    };
    let allowed = item.methods.join(", ");
    let detail = format!("{} takes {allowed}.", item.template);
    Err(Problem::new(Kind::MethodNotAllowed, detail).with_header(header::ALLOW, allowed))
}
