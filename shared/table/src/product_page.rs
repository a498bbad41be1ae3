//! A product's page: the product, its stock, its rating and its newest reviews in one Query.

use crate::{
    engine::{
        item::{Item, s},
        table::Table,
    },
    keys::{self, GSI1, GSI1_PK},
    product_parts::ProductParts,
    review_item::from_review_item,
};
use domain::{
    Error,
    id::ProductId,
    page::{Page, PageSize},
    product::{ProductPage, ReviewPosition},
    review::ReviewFilter,
};

impl Table {
    /// The page of a product, with at most this number of its newest reviews.
    ///
    /// The index is eventually consistent. A product that it does not contain yet is read from the table, so that a
    /// product can be read as soon as it is published.
    pub async fn product_page(&self, id: ProductId, reviews: u8) -> Result<ProductPage, Error> {
        let query = self
            .client()
            .query()
            .index_name(GSI1)
            .key_condition_expression("#pk = :pk")
            .expression_attribute_names("#pk", GSI1_PK)
            .expression_attribute_values(":pk", s(keys::product_partition(id)))
            .scan_index_forward(false)
            // Stock, rating, product, and one review more than the page, which shows whether there is a next page.
            .limit(i32::from(reviews) + 4);
        let sent = self.query(query).await?;
        if let Some(page) = to_page(sent.items.unwrap_or_default(), reviews.into())? {
            return Ok(page);
        }
        let listed = self.listed_product(id).await?;
        Ok(ProductPage { listed, reviews: Page { items: Vec::new(), next: None } })
    }
}

impl Table {
    /// The page of a product: product, stock and rating strongly consistent, the newest reviews from the eventually
    /// consistent index.
    pub async fn present_page(&self, id: ProductId, reviews: u8) -> Result<ProductPage, Error> {
        let size = PageSize::new(reviews.into()).unwrap_or(PageSize::DEFAULT);
        let (listed, reviews) = futures::try_join!(
            self.listed_product(id),
            self.reviews_of(id, ReviewFilter::default(), size, None)
        )?;
        Ok(ProductPage { listed, reviews })
    }
}

fn to_page(items: Vec<Item>, most: usize) -> Result<Option<ProductPage>, Error> {
    let (mut parts, mut reviews) = (ProductParts::default(), Vec::new());
    for item in items {
        if let Some(review) = parts.add(item)? {
            reviews.push(from_review_item(review)?);
        }
    }
    let more = reviews.len() > most;
    reviews.truncate(most);
    let last =
        reviews.last().map(|last| ReviewPosition { created_at: last.created_at, author_id: last.author_id });
    let next = if more { last } else { None };
    let reviews = Page { items: reviews, next };
    Ok(parts.listed().map(|listed| ProductPage { listed, reviews }))
}
