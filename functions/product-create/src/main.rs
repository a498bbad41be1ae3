//! `POST /products`: publishes a product of the caller's.

use app::{
    limits::{Limits, Products},
    table::Table,
};
use domain::{
    Error,
    idempotency::Creation,
    product::{ListedProduct, NewProduct, Product},
};
use http::header;
use web::{Problem, Request, Response, respond};

const DELETED: Error = Error::Unauthenticated { detail: "The account was deleted." };

app::clients! { table: Table, limits: Limits<Products> }

fn main() -> runtime::Exit {
    runtime::serve(create_product)
}

async fn create_product(app: &App, request: Request) -> Result<Response, Problem> {
    let caller = request.caller()?;
    let (new, idempotency) = Problem::both(request.json::<NewProduct>(), request.idempotency())?;
    app.limits.admit([&caller.user_id.to_string()], request.received_at).await?;
    let NewProduct { draft, stock } = new;
    let seller_name = Some(app.table.display_name(caller.user_id).await?.ok_or(DELETED)?);
    let product = Product::publish(app.new_id()?, &caller, draft, request.received_at);
    let product = Product { seller_name, ..product };
    let location = format!("/products/{}", product.product_id);
    let response = respond::created(&ListedProduct::unrated(product.clone(), stock))?
        .etag(product.version)
        .with(header::LOCATION, location);
    let answer = response.to_answer();
    match app
        .table
        .create_product(&product, stock, idempotency.as_ref().map(|idempotency| (idempotency, &answer)))
        .await?
    {
        Creation::New => Ok(response),
        Creation::Replayed(answer) => respond::replayed(answer),
    }
}
