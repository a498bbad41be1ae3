//! Puts the price of a visitor into the JSON text of a product, without parsing the text.
//!
//! The text is one that `serde_json` wrote of a listed product: without white space, with the members in the order of the
//! structs. Before `price` there are `productId`, `sellerId`, `sellerName`, `name`, `description` and `category`, whose values
//! are strings, and the first member of a price is `amount`, an integer. Inside of a JSON string, a quotation mark has a
//! backslash before it. So the bytes `,"price":{"amount":` cannot be part of a string, and where they stand first, they begin
//! the product's own price, whatever its seller wrote into its texts.

use domain::overlay::InExperiment;

/// What stands before the amount.
const PRICE: &str = ",\"price\":{\"amount\":";

/// Where the price of a product is in a text that was written of it; `None` if there is none.
pub fn position(text: &str) -> Option<usize> {
    text.find(PRICE)
}

/// Puts the experiment before the price at this position, and another amount into the price if there is one. Returns what
/// stands there now, up to the new amount. `None`, which changes nothing, if there is no price at the position.
pub fn splice(
    text: &mut String,
    at: usize,
    experiment: &InExperiment,
    amount: Option<i64>,
) -> Option<String> {
    let own = text.get(at..)?.strip_prefix(PRICE)?;
    let digits = own.bytes().take_while(u8::is_ascii_digit).count();
    let experiment = serde_json::to_string(experiment).ok()?;
    let (amount, replaced) = amount.map_or((String::new(), 0), |amount| (amount.to_string(), digits));
    let inserted = format!(",\"experiment\":{experiment}{PRICE}{amount}");
    text.replace_range(at..at + PRICE.len() + replaced, &inserted);
    Some(inserted)
}

#[cfg(test)]
mod tests {
    use super::*;
    use domain::{
        Input, Timestamp,
        id::Id,
        money::HIGHEST_PRICE,
        product::{ListedProduct, NewProduct, Product, ProductDraft},
        rating::Rating,
        user::Caller,
    };
    use proptest::prelude::*;
    use serde_json::{Value, json};

    /// A text that a seller might write, with pieces of JSON that look like a price.
    fn text() -> impl Strategy<Value = String> {
        let piece = prop_oneof![
            Just(PRICE.to_owned()),
            Just("\\".to_owned()),
            Just("\"".to_owned()),
            Just("\",\"price\":{\"amount\":1,".to_owned()),
            "\\PC{0,20}",
        ];
        prop::collection::vec(piece, 0..6).prop_map(|pieces| format!("a{}z", pieces.concat()))
    }

    fn product(texts: [String; 4], amount: i64) -> ListedProduct {
        let now = Timestamp::from_unix_milliseconds(0);
        let caller = Caller { user_id: Id::new(now, [1; 10]), session_id: Id::new(now, [2; 10]) };
        let price = json!({"amount": amount, "currency": "SGD"});
        let draft = json!({"name": "a", "description": "b", "category": "c", "price": price, "stock": 1});
        let NewProduct { draft, stock } = NewProduct::from_json(draft).unwrap();
        // Texts are not validated when they are read from the table.
        let [name, description, category, seller] = texts.map(Value::from);
        let draft = ProductDraft {
            name: serde_json::from_value(name).unwrap(),
            description: serde_json::from_value(description).unwrap(),
            category: serde_json::from_value(category).unwrap(),
            ..draft
        };
        let seller_name = serde_json::from_value(seller).unwrap();
        let product = Product { seller_name, ..Product::publish(Id::new(now, [3; 10]), &caller, draft, now) };
        ListedProduct {
            rating: Rating { histogram: [1, 2, 3, 4, 5] },
            ..ListedProduct::unrated(product, stock)
        }
    }

    fn in_experiment(variant: String) -> InExperiment {
        InExperiment { experiment_id: Id::new(Timestamp::from_unix_milliseconds(0), [4; 10]), variant }
    }

    proptest! {
        #[test]
        fn a_spliced_text_is_the_product_with_another_price(
            texts in [text(), text(), text(), text()],
            amount in 1..=HIGHEST_PRICE,
            other in prop::option::of(1..=HIGHEST_PRICE),
            variant in text(),
        ) {
            let plain = serde_json::to_string(&product(texts, amount)).unwrap();
            let experiment = in_experiment(variant);
            let mut spliced = plain.clone();
            let inserted = splice(&mut spliced, position(&plain).unwrap(), &experiment, other).unwrap();
            prop_assert!(spliced.contains(&inserted));
            let mut expected: Value = serde_json::from_str(&plain).unwrap();
            expected["price"]["amount"] = other.unwrap_or(amount).into();
            expected["experiment"] = json!(experiment);
            prop_assert_eq!(serde_json::from_str::<Value>(&spliced).unwrap(), expected);
        }
    }

    #[test]
    fn a_position_without_a_price_changes_nothing() {
        let plain = serde_json::to_string(&product([(); 4].map(|()| "\u{1f375}".to_owned()), 7)).unwrap();
        let at = position(&plain).unwrap();
        for wrong in (0..plain.len() + 2).filter(|wrong| *wrong != at) {
            let mut text = plain.clone();
            assert_eq!(splice(&mut text, wrong, &in_experiment("b".to_owned()), Some(1)), None, "{wrong}");
            assert_eq!(text, plain);
        }
        assert_eq!(position("{}"), None);
    }
}
