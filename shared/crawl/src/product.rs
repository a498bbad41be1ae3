//! The product that a page describes: which one, and which of its variants and offers.

use crate::{
    graph::{Item, tidy},
    offer::{self, Quote},
};
use domain::observation::{Availability, Reason};
use std::collections::HashMap;

/// The types of products.
pub const PRODUCTS: [&str; 8] = [
    "Product",
    "ProductGroup",
    "ProductModel",
    "IndividualProduct",
    "SomeProducts",
    "Vehicle",
    "Car",
    "Motorcycle",
];
const OFFERS: [&str; 4] = ["Offer", "AggregateOffer", "OfferForPurchase", "OfferForLease"];

/// Properties whose items are other products than the page's.
const RELATED: [&str; 7] = [
    "isAccessoryOrSparePartFor",
    "isConsumableFor",
    "isRelatedTo",
    "isSimilarTo",
    "isVariantOf",
    "review",
    "reviews",
];
/// Properties whose items are parts of a list.
const LISTED: [&str; 4] = ["hasOfferCatalog", "itemListElement", "makesOffer", "offers"];

/// Deeper nesting than structured data has; it bounds the recursion.
const DEEPEST: usize = 64;
/// More products or offers than a page that describes one has.
const MOST_CHOICES: usize = 2000;

/// What a page's structured data says of its product.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Described {
    /// The name.
    pub name: Option<String>,
    /// Price and availability.
    pub quote: Quote,
    /// Whether the page's address chose it among others, so that another address shows another one.
    pub is_chosen: bool,
}

/// Whether an address on the page is the page's own.
pub trait Location {
    /// How well an address fits: the page's address, or one whose query is a part of the page's.
    fn fit(&self, address: &str) -> Fit;
}

/// How well an address fits the page.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fit {
    /// Another page.
    None,
    /// Its query is a part of the page's query.
    Part,
    /// The same page.
    Same,
}

/// How close a product is to being what the page is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Role {
    Listed,
    Offer,
    Product,
    MainEntity,
}

/// One way to buy the product: an offer, or a variant's offer.
struct Choice {
    fit: Fit,
    name: Option<String>,
    quote: Result<Quote, Reason>,
}

/// Finds the product in the items of one notation. `None`: there is no product.
pub fn describe(items: &[Item], location: &impl Location) -> Option<Result<Described, Reason>> {
    let mut search = Search { by_id: HashMap::new(), found: Vec::new(), main: Vec::new(), location };
    for item in items {
        search.index(item, 0);
    }
    for item in items {
        search.walk(item, Role::Product, 0);
    }
    if search.found.len() > MOST_CHOICES {
        return Some(Err(Reason::TooComplex));
    }
    let main = std::mem::take(&mut search.main);
    for (role, item, _) in &mut search.found {
        if item.id.as_deref().is_some_and(|id| main.contains(&id)) {
            *role = Role::MainEntity;
        }
    }
    let best = search.found.iter().map(|(role, ..)| *role).max()?;
    let products: Vec<Product> = search
        .found
        .iter()
        .filter(|(role, ..)| *role == best)
        .map(|(_, item, offer)| search.product(item, *offer))
        .collect();
    Some(choose(products))
}

struct Search<'a, L> {
    by_id: HashMap<&'a str, &'a Item>,
    /// Products, and offers of products, each with the offer around it.
    found: Vec<(Role, &'a Item, Option<&'a Item>)>,
    /// The identifiers that `mainEntity` refers to.
    main: Vec<&'a str>,
    location: &'a L,
}

/// A product with all ways to buy it.
struct Product {
    fit: Fit,
    name: Option<String>,
    choices: Vec<Choice>,
}

impl<'a, L: Location> Search<'a, L> {
    fn index(&mut self, item: &'a Item, depth: usize) {
        if depth > DEEPEST {
            return;
        }
        if let Some(id) = item.id.as_deref().filter(|_| !item.is_reference()) {
            self.by_id.entry(id).or_insert(item);
        }
        for (_, value) in &item.properties {
            if let crate::graph::Value::Item(inner) = value {
                self.index(inner, depth + 1);
            }
        }
    }

    /// The item itself, or the one that it refers to.
    fn resolve(&self, item: &'a Item) -> &'a Item {
        let id = item.id.as_deref().filter(|_| item.is_reference());
        id.and_then(|id| self.by_id.get(id)).copied().unwrap_or(item)
    }

    fn walk(&mut self, item: &'a Item, role: Role, depth: usize) {
        if depth > DEEPEST || self.found.len() > MOST_CHOICES {
            return;
        }
        if item.is_a(&PRODUCTS) {
            self.found.push((role, item, None));
            return;
        }
        if item.is_a(&OFFERS) {
            let mut offered = item.items("itemOffered").peekable();
            let role = role.min(Role::Offer);
            if offered.peek().is_none() {
                self.found.push((role, item, Some(item)));
            }
            let offered: Vec<_> = offered.map(|offered| (role, self.resolve(offered), Some(item))).collect();
            self.found.extend(offered);
            return;
        }
        for (name, value) in &item.properties {
            let crate::graph::Value::Item(inner) = value else { continue };
            match name.as_str() {
                "mainEntity" if inner.is_reference() => self.main.extend(inner.id.as_deref()),
                "mainEntity" => self.walk(inner, role.max(Role::MainEntity), depth + 1),
                name if RELATED.contains(&name) => {}
                name if LISTED.contains(&name) => self.walk(inner, Role::Listed, depth + 1),
                _ => self.walk(inner, role, depth + 1),
            }
        }
    }

    fn product(&self, item: &'a Item, offer: Option<&'a Item>) -> Product {
        let name = name(item);
        let mut choices = Vec::new();
        let currency = offer::currency_of(item);
        if let Some(offer) = offer {
            self.offer(offer, currency, name.as_deref(), 0, &mut choices);
        } else {
            self.offers(item, None, 0, &mut choices);
        }
        let of_choices = choices.iter().map(|choice| choice.fit).max().unwrap_or(Fit::None);
        Product { fit: self.fit(item).max(of_choices), name, choices }
    }

    /// The offers of a product, and those of its variants.
    fn offers(&self, item: &'a Item, outer: Option<&'a str>, depth: usize, choices: &mut Vec<Choice>) {
        if depth > DEEPEST || choices.len() > MOST_CHOICES {
            return;
        }
        let currency = offer::currency_of(item).or(outer);
        let name = name(item);
        for offer in item.items("offers") {
            self.offer(self.resolve(offer), currency, name.as_deref(), depth + 1, choices);
        }
        let own = choices.len();
        for variant in item.items("hasVariant").chain(item.items("model")) {
            let variant = self.resolve(variant);
            let first = choices.len();
            self.offers(variant, currency, depth + 1, choices);
            let fit = self.fit(variant);
            for choice in choices.get_mut(first..).unwrap_or_default() {
                choice.fit = choice.fit.max(fit);
            }
        }
        // What the group itself says is of all variants; a variant counts if the address chooses it.
        if own > 0 && depth == 0 && choices.iter().skip(own).all(|choice| choice.fit == Fit::None) {
            choices.truncate(own);
        }
    }

    fn offer(
        &self,
        offer: &'a Item,
        currency: Option<&'a str>,
        name: Option<&str>,
        depth: usize,
        choices: &mut Vec<Choice>,
    ) {
        if depth > DEEPEST || choices.len() > MOST_CHOICES {
            return;
        }
        let inner_currency = offer::currency_of(offer).or(currency);
        let first = choices.len();
        for inner in offer.items("offers") {
            self.offer(self.resolve(inner), inner_currency, name, depth + 1, choices);
        }
        let is_chosen = choices.iter().skip(first).any(|choice| choice.fit > Fit::None);
        if choices.len() == first || (offer::has_price(offer) && !is_chosen) {
            choices.truncate(first);
            let quote = offer::quote(offer, currency);
            choices.push(Choice { fit: self.fit(offer), name: name.map(str::to_owned), quote });
        }
    }

    /// How well the addresses of an item fit. An identifier with a fragment is no address of a page.
    fn fit(&self, item: &Item) -> Fit {
        let id = item.id.as_deref().filter(|id| !id.contains('#'));
        let addresses = item.texts("url").chain(item.texts("mainEntityOfPage")).chain(id);
        addresses.map(|address| self.location.fit(address)).max().unwrap_or(Fit::None)
    }
}

fn name(item: &Item) -> Option<String> {
    item.text("name").map(tidy).filter(|name| !name.is_empty())
}

/// Chooses the product by the page's address, then its offer, and compares what is left.
fn choose(mut products: Vec<Product>) -> Result<Described, Reason> {
    let different = |products: &[Product]| {
        let mut names: Vec<String> =
            products.iter().filter_map(|product| product.name.as_deref()).map(str::to_lowercase).collect();
        names.sort();
        names.dedup();
        names.len() > 1
    };
    let mut is_chosen = false;
    let best = products.iter().map(|product| product.fit).max().unwrap_or(Fit::None);
    if best > Fit::None && products.iter().any(|product| product.fit < best) {
        is_chosen = different(&products);
        products.retain(|product| product.fit == best);
    }
    if different(&products) {
        return Err(Reason::SeveralProducts);
    }
    let product_name = products.iter().find_map(|product| product.name.clone());
    let mut choices: Vec<Choice> = products.into_iter().flat_map(|product| product.choices).collect();
    if choices.len() > MOST_CHOICES {
        return Err(Reason::TooComplex);
    }
    let all = agreed(&choices);
    let best = choices.iter().map(|choice| choice.fit).max().unwrap_or(Fit::None);
    choices.retain(|choice| choice.fit == best);
    let quote = agreed(&choices)?;
    is_chosen |= all != Ok(quote);
    let name = choices.into_iter().find_map(|choice| choice.name).or(product_name);
    Ok(Described { name, quote, is_chosen })
}

/// What all offers say, if their prices do not differ.
fn agreed(choices: &[Choice]) -> Result<Quote, Reason> {
    let mut quotes = Vec::new();
    for choice in choices {
        match choice.quote {
            Ok(quote) => quotes.push(quote),
            // Another offer may have a price.
            Err(Reason::NoPrice) => {}
            Err(reason) => return Err(reason),
        }
    }
    if quotes.iter().any(|quote| quote.price.is_some()) {
        quotes.retain(|quote| quote.price.is_some());
    }
    let first = *quotes.first().ok_or(Reason::NoPrice)?;
    if quotes.iter().any(|quote| quote.price != first.price) {
        return Err(Reason::SeveralProducts);
    }
    let availability =
        quotes.iter().map(|quote| quote.availability).max_by_key(|availability| rank(*availability));
    Ok(Quote {
        availability: availability.unwrap_or(first.availability),
        from: quotes.iter().any(|quote| quote.from),
        ..first
    })
}

/// Of several offers at one price, the product is as available as the best of them.
fn rank(availability: Availability) -> u8 {
    match availability {
        Availability::InStock => 5,
        Availability::PreOrder => 4,
        Availability::BackOrder => 3,
        Availability::Unknown => 2,
        Availability::OutOfStock => 1,
        Availability::Discontinued => 0,
    }
}
