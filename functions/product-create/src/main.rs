//! `POST /products`: publishes a product of the caller's.

use domain::{
    idempotency::Outcome,
    product::{ListedProduct, Product, ProductDraft},
};
use http::header;
use runtime::App;
use web::{Problem, Request, Response, respond};

fn main() -> runtime::Exit {
    runtime::serve(create_product)
}

async fn create_product(app: &App, request: Request) -> Result<Response, Problem> {
    let caller = request.caller()?;
    let (draft, once) = Problem::both(request.json::<ProductDraft>(), request.once())?;
    let product = Product::publish(app.new_id()?, &caller, draft, request.received_at);
    let location = format!("/products/{}", product.product_id);
    let response = respond::created(&ListedProduct::unrated(product.clone()))?
        .etag(product.version)
        .with(header::LOCATION, location);
    let answer = response.to_answer();
    match app.table.create_product(&product, once.as_ref().map(|once| (once, &answer))).await? {
        Outcome::Done => Ok(response),
        Outcome::Replayed(answer) => respond::replayed(answer),
    }
}
