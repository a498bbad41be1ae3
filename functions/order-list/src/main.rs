//! `GET /orders`: the caller's orders, newest first.

use app::table::Table;
use domain::{id::OrderId, order::OrderStatus, page::PageSize};
use web::{Problem, Request, Response, cursor, query, respond};

app::clients! { table: Table }

fn main() -> runtime::Exit {
    runtime::serve(list_orders)
}

async fn list_orders(app: &App, request: Request) -> Result<Response, Problem> {
    let caller = request.caller()?;
    let (status, size, after) = read(&request)?;
    let page = app.table.orders(caller.user_id, status, size, after).await?;
    let next = page.next.map(|next| cursor::encode(&list(status), &next));
    respond::page(&page.items, next.as_deref(), |cursor| {
        let (list, size) = (list(status), size.get());
        let and = if list.is_empty() { "" } else { "&" };
        format!("/orders?{list}{and}limit={size}&cursor={cursor}")
    })
}

/// The query that selects the orders, which also names the list that a cursor belongs to.
fn list(status: Option<OrderStatus>) -> String {
    status.map(|status| query::encode(&[("status", &status.to_string())])).unwrap_or_default()
}

fn read(request: &Request) -> Result<(Option<OrderStatus>, PageSize, Option<OrderId>), Problem> {
    let mut query = request.query();
    let status = query.optional("status", |text| {
        text.parse()
            .map_err(|_| "must be pending, confirmed, rejected, cancelled or paymentFailed".to_owned())
    });
    let size = query.page_size();
    let after = query.cursor(&list(status));
    query.finish(|| Some((status, size, after)))
}
