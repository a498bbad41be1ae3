//! `DELETE /products/{productId}`: withdraws a product, if the version in If-Match is current.

use app::{
    cache::Cache,
    machines::{Execution, Machines, ProductDelete},
    overtaken::retry_overtaken,
    table::Table,
};
use domain::{
    Error,
    deletion::{DeletionRun, Run},
};
use table::Hidden;
use web::{Problem, Request, Response, respond};

app::clients! { table: Table, cache: Cache, machines: Machines<ProductDelete> }

fn main() -> runtime::Exit {
    runtime::serve(delete_product)
}

async fn delete_product(app: &App, request: Request) -> Result<Response, Problem> {
    let caller = request.caller()?;
    let id = request.path("productId")?;
    let seen = request.if_match()?;
    let withdrawn = retry_overtaken(&seen, "the product", || async {
        let product = app.table.product(id).await?;
        product.withdraw(&caller, &seen)?;
        // The execution is started first. If this function dies after that, the execution hides the product. In the other
        // order, a hidden product could be left that no execution removes.
        let run = DeletionRun::first(&product);
        app.machines.start(Execution { name: &run.name(), input: &run }).await?;
        match app.table.hide_product(run).await? {
            Hidden::Done | Hidden::Gone => Ok(()),
            Hidden::Superseded(current) => Err(Error::Stale { current }),
        }
    });
    withdrawn.await?;
    app.cache.withdraw(id).await;
    Ok(respond::no_content())
}
