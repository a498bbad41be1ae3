//! `GET /products` and `GET /categories`: products, newest first, all or those of one category or seller; the categories.

use app::{limits::Searches, table::Table, visitors::Visitors};
use domain::{
    id::{ProductId, UserId},
    page::PageSize,
    product::Category,
};
use web::{Problem, Request, Response, cursor, query, respond};

/// How long the list of categories may be stored.
const FRESH_SECONDS: u64 = 60;

/// The name of the list of categories in its cursors.
const CATEGORIES: &str = "categories";

/// The products to list.
enum Of {
    Everybody,
    Category(Category),
    Seller(UserId),
}

impl Of {
    /// The query that selects them, which also names the list that a cursor belongs to.
    fn query(&self) -> String {
        match self {
            Self::Everybody => String::new(),
            Self::Category(category) => query::encode(&[("category", category.as_str())]),
            Self::Seller(seller) => query::encode(&[("seller", &seller.to_string())]),
        }
    }
}

app::clients! { table: Table, searches: Searches, visitors: Visitors }

fn main() -> runtime::Exit {
    runtime::serve(list)
}

async fn list(app: &App, request: Request) -> Result<Response, Problem> {
    if request.path == "/categories" {
        list_categories(app, &request).await
    } else {
        list_products(app, &request).await
    }
}

async fn list_categories(app: &App, request: &Request) -> Result<Response, Problem> {
    let mut query = request.query();
    let (size, after) = (query.page_size(), query.cursor(CATEGORIES));
    let (size, after) = query.finish(|| Some((size, after)))?;
    app.searches.admit(&request.source_network(), request.received_at)?;
    let page = app.table.categories(size, after).await?;
    let next = page.next.map(|next| cursor::encode(CATEGORIES, &next));
    let link_to = |cursor: &str| format!("/categories?limit={}&cursor={cursor}", size.get());
    respond::page(&page.items, next.as_deref(), link_to)?.stored_for(FRESH_SECONDS).unless_known_to(request)
}

async fn list_products(app: &App, request: &Request) -> Result<Response, Problem> {
    let (of, size, after) = read(request)?;
    app.searches.admit(&request.source_network(), request.received_at)?;
    let page = match &of {
        Of::Everybody => app.table.newest_products(size, after).await?,
        Of::Category(category) => app.table.products_of_category(category, size, after).await?,
        Of::Seller(seller) => app.table.products_of_seller(*seller, size, after).await?,
    };
    let is_tested = page.items.iter().any(|listed| listed.product.pricing.overlay.is_some());
    let visitor = if is_tested { app.visitors.shown(request).await? } else { None };
    let items: Vec<_> = page.items.into_iter().map(|listed| listed.for_visitor(visitor)).collect();
    let next = page.next.map(|next| cursor::encode(&of.query(), &next));
    let response = respond::page(&items, next.as_deref(), |cursor| {
        let of = of.query();
        let and = if of.is_empty() { "" } else { "&" };
        format!("/products?{of}{and}limit={}&cursor={cursor}", size.get())
    })?;
    Ok(response.by_visitor(visitor.is_some()))
}

fn read(request: &Request) -> Result<(Of, PageSize, Option<ProductId>), Problem> {
    let mut query = request.query();
    query.not_both(["category", "seller"]);
    let by_category = query.optional("category", |text| text.parse().map_err(query::detail));
    let by_seller =
        query.optional("seller", |text| text.parse().map_err(|_| "must be the id of a user".to_owned()));
    let of = by_category.map(Of::Category).or(by_seller.map(Of::Seller)).unwrap_or(Of::Everybody);
    let size = query.page_size();
    let after = query.cursor(&of.query());
    query.finish(|| Some((of, size, after)))
}
