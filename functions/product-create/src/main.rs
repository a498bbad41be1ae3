//! `POST /products`: publishes a product of the caller's.

use app::{
    limits::{Limits, Products},
    table::Table,
};
use domain::{
    idempotency::Creation,
    product::{ListedProduct, NewProduct, Product},
};
use http::header;
use web::{Problem, Request, Response, respond};

app::clients! { table: Table, limits: Limits<Products> }

fn main() -> runtime::Exit {
    runtime::serve(create_product)
}

async fn create_product(app: &App, request: Request) -> Result<Response, Problem> {
    let caller = request.caller()?;
    let (new, idempotency) = Problem::both(request.json::<NewProduct>(), request.idempotency())?;
    app.limits.admit([&caller.user_id.to_string()], request.received_at).await?;
    let NewProduct { draft, stock } = new;
    let product = Product::publish(app.new_id()?, &caller, draft, request.received_at);
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
