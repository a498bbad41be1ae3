//! `POST /visitors`: makes up the id of a visitor.

use app::{
    limits::{Limits, NewVisitors},
    visitors::Visitors,
};
use web::{Problem, Request, Response, respond, visitor_token};

app::clients! { limits: Limits<NewVisitors>, visitors: Visitors }

fn main() -> runtime::Exit {
    runtime::serve(create_visitor)
}

/// A new visitor.
pub(crate) async fn create_visitor(app: &App, request: Request) -> Result<Response, Problem> {
    app.limits.admit([&request.source_network()], request.received_at).await?;
    let visitor = app.visitors.create(request.received_at).await?;
    Ok(visitor_token::remembered(respond::created(&visitor)?, &visitor))
}
