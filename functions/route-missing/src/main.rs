//! `$default`: answers requests without a route: 404 for an unknown path, 405 for an unsupported method.

use http::header;
use runtime::Stateless;
use web::{Problem, Request, Response, openapi, problem::Kind};

fn main() -> runtime::Exit {
    runtime::serve(refuse)
}

async fn refuse(_app: &Stateless, request: Request) -> Result<Response, Problem> {
    let Some(item) = openapi::find(&request.path) else {
        return Err(Problem::new(Kind::NotFound, "There is no such path."));
    };
    let allowed = item.methods.join(", ");
    let detail = format!("{} takes {allowed}.", item.template);
    Err(Problem::new(Kind::MethodNotAllowed, detail).with_header(header::ALLOW, allowed))
}
