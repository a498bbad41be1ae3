//! Step of user-delete: withdraws a page of a user's products and, later, deletes a page of what is personal.

use app::{
    cache::Cache,
    machines::{Execution, Machines, ProductDelete},
    table::Table,
};
use domain::{
    Error,
    deletion::{DeletionRun, Run},
    id::{ProductId, UserId},
};
use serde::{Deserialize, Serialize};
use table::Hidden;

/// The user, and the phase of the deletion.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Input {
    user_id: UserId,
    /// Whether all requests have ended that began before the account was closed.
    late: bool,
}

/// The result of the step.
#[derive(Serialize)]
pub(crate) struct Output {
    /// Whether there may be more.
    pub more: bool,
}

app::clients! { table: Table, cache: Cache, machines: Machines<ProductDelete> }

fn main() -> runtime::Exit {
    runtime::step(erase)
}

/// Does a page of the deletion. Idempotent.
pub(crate) async fn erase(app: &App, Input { user_id, late }: Input) -> Result<Output, Error> {
    // user-delete may have died before it ended them.
    app.table.end_sessions(user_id, None, app.now()).await?;
    let products = app.table.sellers_products(user_id).await?;
    for id in &products {
        withdraw(app, user_id, *id).await?;
    }
    if !products.is_empty() || !late {
        return Ok(Output { more: !products.is_empty() });
    }
    let has_more_reviews = app.table.anonymise_reviews(user_id).await?;
    let has_more_records = app.table.delete_records(user_id).await?;
    let has_more_experiments = app.table.delete_experiments(user_id).await?;
    app.table.delete_mail_tokens(user_id).await?;
    let more = has_more_reviews || has_more_records || has_more_experiments;
    if !more {
        app.table.finish_account_deletion(user_id).await?;
    }
    Ok(Output { more })
}

/// Withdraws a product as its seller does, and then removes it from the list. Idempotent.
async fn withdraw(app: &App, seller: UserId, id: ProductId) -> Result<(), Error> {
    match app.table.product(id).await {
        Ok(product) => {
            let run = DeletionRun::first(&product);
            app.machines.start(Execution { name: &run.name(), input: &run }).await?;
            if let Hidden::Superseded(_) = app.table.hide_product(run).await? {
                return Err(Error::unavailable("the product was changed at the same time"));
            }
            app.cache.withdraw(id).await;
        }
        Err(Error::NotFound { .. }) => {}
        Err(error) => return Err(error),
    }
    app.table.unlist_product(seller, id).await
}
