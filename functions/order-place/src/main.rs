//! `POST /orders`: places an order, once for each idempotency key.

use domain::{
    Error,
    idempotency::Once,
    order::{OrderDraft, Placed, Status},
    user::Caller,
};
use runtime::{App, Execution};
use table::Recorded;
use web::{Asked, Problem, Request, Response, pages, respond};

fn main() -> runtime::Exit {
    runtime::serve(place_order)
}

async fn place_order(app: &App, request: Request) -> Result<Response, Problem> {
    let caller = request.caller()?;
    let (draft, once) = Problem::both(request.json::<OrderDraft>(), request.required_once())?;
    let asked = match app.table.order_asked_before(caller.user_id, &once, request.received_at).await? {
        Some(id) => Asked { now: app.table.order(caller.user_id, id).await?, replayed: true },
        None => record(app, &caller, draft, &once).await?,
    };
    let input = asked.now.request();
    let id = input.order_id;
    let execution = Execution { machine: "ORDER_PLACE_MACHINE_ARN", name: &id.to_string(), input: &input };
    let look = async || app.table.order(caller.user_id, id).await;
    let asked = app.see_through(&request, asked, execution, is_pending, look).await?;
    asked.answer(&request, &format!("/orders/{id}"), answer(&asked.now))
}

/// Fixes what is ordered at the prices of now, and remembers it under its key.
async fn record(app: &App, caller: &Caller, draft: OrderDraft, once: &Once) -> Result<Asked<Placed>, Error> {
    let known = app.table.products(&draft.products()).await?;
    let placed = draft.place(app.new_id()?, caller, app.now(), &known)?;
    Ok(match app.table.record_order(&placed, once).await? {
        Recorded::Now => Asked { now: placed, replayed: false },
        Recorded::Before(id) => Asked { now: app.table.order(caller.user_id, id).await?, replayed: true },
    })
}

fn is_pending(placed: &Placed) -> bool {
    placed.order.status == Status::Pending
}

fn answer(Placed { order, .. }: &Placed) -> Result<Response, Problem> {
    match &order.reason {
        Some(reason) => Err(pages::rejected(order, reason)),
        None if order.status == Status::Pending => Ok(respond::accepted(order)?.etag(order.version)),
        None => Ok(respond::created(order)?.etag(order.version)),
    }
}
