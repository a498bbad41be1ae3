//! Items in their stored form, for loading many of them without the client.

use crate::samples;
use domain::{concert::Concert, geo::Level, product::Product, stock::StockLevel};
use dynoxide::{AttributeValue, Item};
use serde::Serialize;
use serde_json::{Map, Value};
use table::keys;

/// A JSON value as an attribute value of the engine.
fn attribute(value: &Value) -> AttributeValue {
    match value {
        Value::Null => AttributeValue::NULL(true),
        Value::Bool(flag) => AttributeValue::BOOL(*flag),
        // DynamoDB stores a whole number without decimals.
        Value::Number(number) => AttributeValue::N(number.to_string().trim_end_matches(".0").to_owned()),
        Value::String(text) => AttributeValue::S(text.clone()),
        Value::Array(values) => AttributeValue::L(values.iter().map(attribute).collect()),
        Value::Object(members) => AttributeValue::M(attributes(members)),
    }
}

fn attributes(members: &Map<String, Value>) -> Item {
    members.iter().map(|(name, value)| (name.clone(), attribute(value))).collect()
}

/// The attributes of a serialized value.
pub fn item_of(value: &impl Serialize) -> Item {
    let value = serde_json::to_value(value).expect("a sample is JSON");
    attributes(value.as_object().expect("a sample has members"))
}

/// Sets an item's key attributes, under these names.
pub fn with_key(item: &mut Item, names: [&str; 2], keys::Key { pk, sk }: keys::Key) {
    for (name, value) in names.into_iter().zip([pk, sk]) {
        item.insert(name.to_owned(), AttributeValue::S(value));
    }
}

/// The items of a published concert. A test compares them with the items that the table writes.
pub fn of_concert(concert: &Concert) -> Vec<Item> {
    let id = concert.concert_id;
    let content = item_of(concert);
    let entry = |key, names, index| {
        let mut item = content.clone();
        with_key(&mut item, ["pk", "sk"], key);
        with_key(&mut item, names, index);
        item
    };
    let place = |level| {
        let index = keys::concert_in_cell(&concert.venue.place.cell(level), concert.starts_at, id);
        entry(keys::concert_place(id, level), ["gsi2pk", "gsi2sk"], index)
    };
    let line_up = concert.bands.iter().map(|performer| {
        let index = keys::concert_of_band(performer.band_id, concert.starts_at, id);
        entry(keys::line_up_entry(id, performer.band_id), ["gsi1pk", "gsi1sk"], index)
    });
    Level::ALL.into_iter().map(place).chain(line_up).collect()
}

/// The items of a product and of this number of sample reviews, which its rating does not include.
pub fn of_product(product: &Product, reviews: u32) -> Vec<Item> {
    let id = product.product_id;
    let mut item = item_of(product);
    with_key(&mut item, ["pk", "sk"], keys::product(id));
    with_key(&mut item, ["gsi1pk", "gsi1sk"], keys::product_on_page(id));
    with_key(&mut item, ["gsi2pk", "gsi2sk"], keys::product_in_category(&product.draft.category, id));
    let overlay = product.pricing.overlay.as_ref();
    item.extend(overlay.map(|overlay| ("overlay".to_owned(), AttributeValue::B(overlay.encode()))));
    let mut stock = item_of(&StockLevel::new(samples::stock(samples::STOCK), product.created_at));
    with_key(&mut stock, ["pk", "sk"], keys::stock(id));
    with_key(&mut stock, ["gsi1pk", "gsi1sk"], keys::stock_on_page(id));
    let mut rating = Item::new();
    with_key(&mut rating, ["pk", "sk"], keys::rating(id));
    with_key(&mut rating, ["gsi1pk", "gsi1sk"], keys::rating_on_page(id));
    let mut of_seller = Item::new();
    with_key(&mut of_seller, ["pk", "sk"], keys::sellers_product(product.seller_id, id));
    let mut items = vec![item, stock, rating, of_seller];
    items.extend((0..reviews).map(|number| {
        let review = samples::review(id, number);
        let position =
            domain::product::ReviewPosition { created_at: review.created_at, author_id: review.author_id };
        let mut item = item_of(&review);
        with_key(&mut item, ["pk", "sk"], keys::review(id, review.author_id));
        with_key(&mut item, ["gsi1pk", "gsi1sk"], keys::review_on_page(id, &position));
        item
    }));
    items
}
