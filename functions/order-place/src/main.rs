//! `POST /orders`: places an order, once for each idempotency key.

use app::{
    limits::{OrderLimits, UnpaidOrders},
    machines::{Execution, Machines, OrderPlace},
    table::Table,
};
use domain::{
    id::VisitorUuid,
    idempotency::Idempotency,
    order::{OrderStatus, PlacedOrder},
    order_draft::{OrderDraft, Priced},
    user::Caller,
};
use table::Recorded;
use web::{Problem, Request, Response, Submission, order_problem, respond};

app::clients! {
    table: Table,
    limits: OrderLimits,
    unpaid: UnpaidOrders,
    machines: Machines<OrderPlace>,
}

fn main() -> runtime::Exit {
    runtime::serve(place_order)
}

async fn place_order(app: &App, request: Request) -> Result<Response, Problem> {
    let caller = request.caller()?;
    let (draft, idempotency) = Problem::both(request.json::<OrderDraft>(), request.required_idempotency())?;
    let recorded = app.table.order_recorded_before(caller.user_id, &idempotency, request.received_at).await?;
    let visitor = request.verified.and_then(|verified| verified.visitor);
    let Submission { state, replayed } = match recorded {
        Some(id) => Submission { state: app.table.order(caller.user_id, id).await?, replayed: true },
        None => record(app, &caller, visitor, draft, &idempotency).await?,
    };
    let input = state.request();
    let id = input.order_id;
    let execution = Execution { name: &id.to_string(), input: &input };
    let read = async || app.table.order(caller.user_id, id).await;
    let state = app.machines.run_and_wait(execution, request.wait_seconds(), state, is_pending, read).await?;
    let answer = answer(&state);
    Submission { state, replayed }.respond(&request, &format!("/orders/{id}"), answer)
}

/// Prices the order, and counts and records it under its idempotency key if the total is the expected one.
async fn record(
    app: &App,
    caller: &Caller,
    visitor: Option<VisitorUuid>,
    draft: OrderDraft,
    idempotency: &Idempotency,
) -> Result<Submission<PlacedOrder>, Problem> {
    let known = app.table.products(&draft.products()).await?;
    let placed = match draft.price(app.new_id()?, caller, visitor, app.now(), &known)? {
        Priced::AsExpected(placed) => placed,
        Priced::Changed(order) => return Err(order_problem::price_changed(&order)),
    };
    app.limits.admit(caller.user_id, placed.order.order_id).await?;
    Ok(match app.table.record_order(&placed, idempotency).await? {
        Recorded::Now => Submission { state: placed, replayed: false },
        Recorded::Before(id) => {
            app.unpaid.remove(caller.user_id, placed.order.order_id).await?;
            Submission { state: app.table.order(caller.user_id, id).await?, replayed: true }
        }
    })
}

fn is_pending(placed: &PlacedOrder) -> bool {
    placed.order.status == OrderStatus::Pending
}

fn answer(PlacedOrder { order, .. }: &PlacedOrder) -> Result<Response, Problem> {
    match (order.status, &order.reason) {
        (OrderStatus::Rejected, Some(reason)) => Err(order_problem::order_rejected(order, reason)),
        (OrderStatus::Pending, _) => Ok(respond::accepted(order)?.etag(order.version)),
        _ => Ok(respond::created(order)?.etag(order.version)),
    }
}
