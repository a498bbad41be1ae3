//! Reads a page: what it says of its product, or the reason why it says nothing that can be watched.

use crate::{
    address::{Allowed, PageAddress},
    charset,
    graph::{Item, Value},
    json_ld,
    markup::{self, Markup},
    offer::{self, Quote},
    product::{self, Described, Fit, Location},
};
use domain::observation::{Availability, Observation, Reason};

/// What was read from a page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reading {
    /// What the page says of its product.
    pub observation: Result<Observation, Reason>,
    /// The address that the page calls its own, if that is another one: it has to be read itself.
    pub canonical: Option<PageAddress>,
}

/// The longest name of a product, in characters.
const LONGEST_NAME: usize = 300;

/// Reads a page that was served at this address, with this `Content-Type`. The body is decompressed.
pub fn read(address: &PageAddress, content_type: Option<&str>, body: &[u8], allowed: &Allowed) -> Reading {
    let failed = |reason| Reading { observation: Err(reason), canonical: None };
    let Some(media_type) = MediaType::parse(content_type) else { return failed(Reason::NotHtml) };
    let html = charset::decode(body, media_type.charset.as_deref(), address.top_level_domain());
    match markup::read(&html, media_type.is_xhtml) {
        Ok(markup) => Page::new(address, &markup, allowed).reading(&markup),
        Err(reason) => failed(reason),
    }
}

/// What a list at this address says of a product at another one; `None` if it has no offer, so that the product's own page
/// has to be read.
pub(crate) fn read_listed(
    (list, address): (&PageAddress, &PageAddress),
    product: &Item,
    allowed: &Allowed,
) -> Option<Result<Observation, Reason>> {
    let is_offered =
        ["offers", "hasVariant", "model"].iter().any(|name| product.items(name).next().is_some());
    if !is_offered {
        return None;
    }
    let page = Page { address, base: list.clone(), canonical: None, allowed };
    let described = product::describe(std::slice::from_ref(product), &page).unwrap_or(Err(Reason::NoProduct));
    Some(described.map(|described| observed(described, || address.to_string())))
}

fn observed(described: Described, fallback_name: impl FnOnce() -> String) -> Observation {
    let name = described.name.unwrap_or_else(fallback_name).chars().take(LONGEST_NAME).collect();
    let Quote { price, availability, from } = described.quote;
    Observation { name, price, availability, from }
}

/// A media type of HTML.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct MediaType {
    is_xhtml: bool,
    charset: Option<String>,
}

impl MediaType {
    /// `None` for what is not HTML, and for a missing type.
    pub(crate) fn parse(content_type: Option<&str>) -> Option<Self> {
        let mut parts = content_type?.split(';');
        let is_xhtml = match parts.next()?.trim().to_ascii_lowercase().as_str() {
            "text/html" => false,
            "application/xhtml+xml" => true,
            _ => return None,
        };
        let charset = parts.find_map(|parameter| {
            let (name, value) = parameter.split_once('=')?;
            let value = value.trim().trim_matches(['"', '\'']);
            name.trim().eq_ignore_ascii_case("charset").then(|| value.to_owned())
        });
        Some(Self { is_xhtml, charset })
    }
}

/// A page's addresses.
struct Page<'a> {
    address: &'a PageAddress,
    /// What relative links refer to.
    base: PageAddress,
    canonical: Option<PageAddress>,
    allowed: &'a Allowed,
}

impl Location for Page<'_> {
    fn fit(&self, address: &str) -> Fit {
        let Ok(address) = self.base.join(address, self.allowed) else { return Fit::None };
        let own = [Some(self.address), self.canonical.as_ref()];
        if own.into_iter().flatten().any(|own| is_same(own, &address)) {
            return Fit::Same;
        }
        let (own, other) = (self.address.url(), address.url());
        let pairs: Vec<&str> = own.query().unwrap_or_default().split('&').collect();
        let is_part = self.address.has_host_of(&address)
            && own.path() == other.path()
            && other.query().is_some_and(|query| query.split('&').all(|pair| pairs.contains(&pair)));
        if is_part { Fit::Part } else { Fit::None }
    }
}

fn is_same(one: &PageAddress, other: &PageAddress) -> bool {
    one.has_host_of(other) && one.path_and_query() == other.path_and_query()
}

impl<'a> Page<'a> {
    fn new(address: &'a PageAddress, markup: &Markup, allowed: &'a Allowed) -> Self {
        let base = markup.base.as_deref().and_then(|base| address.join(base, allowed).ok());
        let base = base.unwrap_or_else(|| address.clone());
        let canonical = markup.canonical.as_deref().and_then(|link| base.join(link, allowed).ok());
        let canonical =
            canonical.filter(|link| link.has_host_of(address) && !link.is_home() && link != address);
        Self { address, base, canonical, allowed }
    }

    fn reading(self, markup: &Markup) -> Reading {
        match self.described(markup) {
            Ok(described) => {
                // The canonical address of a variant is often that of the product, which has another price.
                let canonical = self.canonical.clone().filter(|_| !described.is_chosen);
                Reading { observation: Ok(observed(described, || self.fallback_name(markup))), canonical }
            }
            Err(reason) => Reading { observation: Err(reason), canonical: self.canonical },
        }
    }

    /// The first notation that describes a product with a price, or one that is sold out, decides.
    fn described(&self, markup: &Markup) -> Result<Described, Reason> {
        let json_ld = json_ld::items(&markup.scripts)?;
        let notations = [&json_ld, &markup.microdata, &markup.rdfa];
        let described = notations.into_iter().map(|items| product::describe(items, self));
        let mut reason = Reason::NoProduct;
        for described in described.chain([open_graph(markup)]).flatten() {
            match described {
                Err(Reason::NoPrice) => reason = Reason::NoPrice,
                decided => return decided,
            }
        }
        Err(reason)
    }

    fn fallback_name(&self, markup: &Markup) -> String {
        let title =
            meta(markup, "og:title").or(Some(markup.title.as_str()).filter(|title| !title.is_empty()));
        title.unwrap_or(self.address.as_str()).to_owned()
    }
}

/// The first meta element of this name that is not empty.
fn meta<'a>(markup: &'a Markup, name: &str) -> Option<&'a str> {
    metas(markup, name).next()
}

fn metas<'a>(markup: &'a Markup, name: &str) -> impl Iterator<Item = &'a str> {
    let contents =
        markup.metas.iter().filter(move |(own, _)| own == name).map(|(_, content)| content.as_str());
    contents.filter(|content| !content.is_empty())
}

/// What the meta elements say: `product:price:amount`, else `og:price:amount`.
fn open_graph(markup: &Markup) -> Option<Result<Described, Reason>> {
    let availability =
        ["product:availability", "og:availability"].into_iter().find_map(|name| meta(markup, name));
    let availability = availability.map_or(Availability::Unknown, Availability::parse);
    let prefix = ["product", "og"]
        .into_iter()
        .find(|prefix| meta(markup, &format!("{prefix}:price:amount")).is_some());
    let is_product =
        meta(markup, "og:type").is_some_and(|kind| matches!(kind, "product" | "og:product" | "product.item"));
    if prefix.is_none() && !is_product && availability == Availability::Unknown {
        return None;
    }
    let price = prefix.map(|prefix| {
        let currencies = [prefix, "product", "og"];
        let currency =
            currencies.into_iter().find_map(|prefix| meta(markup, &format!("{prefix}:price:currency")));
        let amount = format!("{prefix}:price:amount");
        let mut prices =
            metas(markup, &amount).map(|text| offer::money(&Value::Text(text.to_owned()), currency));
        let first = prices.next().unwrap_or(Err(Reason::NoPrice))?;
        if prices.all(|price| price == Ok(first)) { Ok(first) } else { Err(Reason::SeveralProducts) }
    });
    let quote = price.transpose().and_then(|price| offer::finish(price, availability, false));
    let name = meta(markup, "og:title").map(str::to_owned);
    Some(quote.map(|quote| Described { name, quote, is_chosen: false }))
}
