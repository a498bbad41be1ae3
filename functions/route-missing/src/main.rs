//! `$default`: answers requests without a route: 404 for an unknown path, 405 for an unsupported method.

use runtime::Stateless;
use web::{
    Problem, Request, Response,
    paths::{self, PathItem},
    problem::Kind,
};

fn main() -> runtime::Exit {
    runtime::serve(refuse)
}

async fn refuse(_app: &Stateless, request: Request) -> Result<Response, Problem> {
    let missing = || Problem::new(Kind::NotFound, "There is no such path.");
    Err(paths::find(&request.path).map_or_else(missing, PathItem::refusal))
}
