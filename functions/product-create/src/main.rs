//! `POST /products`: publishes a product of the caller's.

use app::table::Table;
use domain::{
    idempotency::Creation,
    product::{ListedProduct, Product, ProductDraft},
};
use http::header;
use web::{Problem, Request, Response, respond};

app::clients! { table: Table }

fn main() -> runtime::Exit {
    runtime::serve(create_product)
}

async fn create_product(app: &App, request: Request) -> Result<Response, Problem> {
    let caller = request.caller()?;
    let (draft, idempotency) = Problem::both(request.json::<ProductDraft>(), request.idempotency())?;
    let product = Product::publish(app.new_id()?, &caller, draft, request.received_at);
    let location = format!("/products/{}", product.product_id);
    let response = respond::created(&ListedProduct::unrated(product.clone()))?
        .etag(product.version)
        .with(header::LOCATION, location);
    let answer = response.to_answer();
    match app
        .table
        .create_product(&product, idempotency.as_ref().map(|idempotency| (idempotency, &answer)))
        .await?
    {
        Creation::New => Ok(response),
        Creation::Replayed(answer) => respond::replayed(answer),
    }
}
