//! `GET /users/me/export`: what is stored about the caller, page by page.

use app::table::Table;
use domain::{
    Error, Timestamp,
    experiment::Experiment,
    export::ExportPosition::{self, Experiments, Orders, Products, Reviews, Sessions, Watches},
    order::Order,
    page::PageSize,
    product::ListedProduct,
    review::Review,
    session::ListedSession,
    user::{Caller, User},
};
use serde::Serialize;
use table::Watch;
use web::{Problem, Request, Response, cursor, respond};

/// The list that a cursor belongs to. The partition that is read comes from the access token.
const LIST: &str = "/users/me/export";

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Export {
    /// On every page, so that each says whose it is.
    profile: User,
    #[serde(flatten)]
    items: Items,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_cursor: Option<String>,
}

#[derive(Default, Serialize)]
struct Items {
    orders: Vec<Order>,
    products: Vec<ListedProduct>,
    reviews: Vec<Review>,
    watches: Vec<Watch>,
    experiments: Vec<Experiment>,
    sessions: Vec<ListedSession>,
}

app::clients! { table: Table }

fn main() -> runtime::Exit {
    runtime::serve(export_user)
}

/// A page of the export.
pub(crate) async fn export_user(app: &App, request: Request) -> Result<Response, Problem> {
    let caller = request.caller()?;
    let mut query = request.query();
    let after = query.cursor(LIST);
    let position = query.finish(|| Some(after.unwrap_or(ExportPosition::START)))?;
    let profile = app.table.user(caller.user_id).await?;
    let (items, next) = page(app, &caller, position, request.received_at).await?;
    let next_cursor = next.map(|next| cursor::encode(LIST, &next));
    let export = Export { profile, items, next_cursor };
    let response = respond::ok(&export)?;
    Ok(response.with_next(export.next_cursor.as_deref(), |cursor| format!("{LIST}?cursor={cursor}")))
}

type Listed = (Items, Option<ExportPosition>);

/// A page of one kind. The largest items have some 60 KB: a page is far below the 6 MB of an answer.
async fn page(app: &App, caller: &Caller, at: ExportPosition, now: Timestamp) -> Result<Listed, Error> {
    let (user, size, mut items) = (caller.user_id, PageSize::DEFAULT, Items::default());
    let next = match at {
        Orders(after) => {
            let page = app.table.orders(user, None, size, after).await?;
            items.orders = page.items;
            Some(page.next.map_or(Products(None), |last| Orders(Some(last))))
        }
        Products(after) => {
            let page = app.table.products_of_seller(user, size, after).await?;
            items.products = page.items;
            Some(page.next.map_or(Reviews(None), |last| Products(Some(last))))
        }
        Reviews(after) => {
            let page = app.table.reviews_by(user, size, after).await?;
            items.reviews = page.items;
            Some(page.next.map_or(Watches(None), |last| Reviews(Some(last))))
        }
        Watches(after) => {
            let page = app.table.watches_of(user, size, after).await?;
            items.watches = page.items;
            Some(page.next.map_or(Experiments(None), |last| Watches(Some(last))))
        }
        Experiments(after) => {
            let page = app.table.experiments_of(user, size, after).await?;
            items.experiments = page.items;
            Some(page.next.map_or(Sessions, |last| Experiments(Some(last))))
        }
        Sessions => {
            items.sessions = app.table.sessions(caller, now).await?;
            None
        }
    };
    Ok((items, next))
}
