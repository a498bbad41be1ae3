//! What a seller writes of a price experiment, and its rules.

use crate::{
    Error, Fault, Input, Money, Timestamp,
    assignment::{Assignment, HashVersion},
    currency::Currency,
    id::{ExperimentId, Id, ProductId},
    input::{Checked, Members, elements, integer},
    overlay::{MOST_BYTES, NamespacePart, Overlay, OverlayVariant},
    share::Share,
    text::{self, text_type},
};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::{BTreeSet, HashSet};

/// The maximum number of products of an experiment. All of them and the experiment fit into one transaction.
pub const MOST_PRODUCTS: usize = 50;

/// The maximum number of variants, the control included.
pub const MOST_VARIANTS: usize = 10;

/// The maximum number of steps of a ramp.
const MOST_STEPS: usize = 10;

/// The latest step of a ramp, in hours after the start: 90 days.
const LATEST_STEP: i64 = 90 * 24;

text_type! {
    /// The name of an experiment: one line of 1 to 200 characters.
    ExperimentName = line(1, 200)
}

text_type! {
    /// What a seller expects of an experiment: up to 2,000 characters.
    Hypothesis = lines(1, 2000)
}

/// The price of a product in a variant.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct VariantPrice {
    /// The product.
    pub product_id: ProductId,
    /// Its price.
    pub price: Money,
}

/// A variant of an experiment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Variant {
    /// Its key: 1 to 32 letters, digits, `-` and `_`. No other variant of the experiment has it.
    pub key: String,
    /// Its share of the visitors in the experiment.
    pub weight: Share,
    /// The prices of products in it, no product twice. The control has none.
    pub prices: Vec<VariantPrice>,
}

/// What is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Metric {
    /// The share of visitors who buy.
    Conversion,
    /// Revenue of each visitor, also of those who buy nothing.
    RevenuePerVisitor,
    /// Revenue of each order.
    AverageOrder,
}

/// The metrics of an experiment, each in one role.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Metrics {
    /// The metric that the experiment is made for.
    pub primary: Metric,
    /// Metrics that are shown beside it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub secondary: Vec<Metric>,
    /// Metrics that end the experiment when they become worse.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub guardrails: Vec<Metric>,
}

/// A rise of the coverage at a fixed time after the start. It has no effect if the coverage is as high by then.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RampStep {
    /// Whole hours after the start.
    pub after_hours: u64,
    /// The coverage from then on.
    pub coverage: Share,
}

/// The fields of an experiment that its seller writes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ExperimentDraft {
    /// The name.
    pub name: ExperimentName,
    /// What the seller expects.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hypothesis: Option<Hypothesis>,
    /// The variants, the control first.
    pub variants: Vec<Variant>,
    /// The share of visitors who are in the experiment.
    pub coverage: Share,
    /// Experiments in other parts of the same namespace have no visitor in common with this one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespace: Option<NamespacePart>,
    /// How visitors' ids are hashed.
    pub hash_version: HashVersion,
    /// Goes into the hash in place of the experiment's id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seed: Option<String>,
    /// What is measured.
    pub metrics: Metrics,
    /// When it starts by itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub starts_at: Option<Timestamp>,
    /// When it stops by itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stops_at: Option<Timestamp>,
    /// Rises of the coverage while it runs.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ramp_up: Vec<RampStep>,
}

/// The members of a draft that it may lack.
pub(crate) const OPTIONAL: [&str; 6] = ["hypothesis", "namespace", "seed", "startsAt", "stopsAt", "rampUp"];

impl Input for ExperimentDraft {
    fn from_json(value: Value) -> Result<Self, Error> {
        Self::read(value).map_err(Error::Invalid)
    }
}

impl ExperimentDraft {
    /// Reads a draft, or lists every fault.
    pub(crate) fn read(value: Value) -> Checked<Self> {
        let mut members = Members::of(value)?;
        let name = members.required("name", ExperimentName::from_value);
        let hypothesis = members.optional("hypothesis", Hypothesis::from_value);
        let variants = members.required("variants", variants);
        let coverage = members.optional("coverage", |value| Share::from_value(&value, 1, Share::ALL.get()));
        let namespace = members.optional("namespace", namespace_part);
        let hash_version = members.optional("hashVersion", |value| hash_version(&value));
        let seed = members.optional("seed", |value| text::line(value, 0, 64));
        let metrics = members.required("metrics", metrics);
        let starts_at = members.optional("startsAt", text::time);
        let stops_at = members.optional("stopsAt", text::time);
        let ramp_up = members.optional("rampUp", ramp_up);
        let draft = (|| {
            Some(Self {
                name: name?,
                hypothesis,
                variants: variants?,
                coverage: coverage.unwrap_or(Share::ALL),
                namespace,
                hash_version: hash_version.unwrap_or(HashVersion::V2),
                seed: seed.filter(|seed| !seed.is_empty()),
                metrics: metrics?,
                starts_at,
                stops_at,
                ramp_up: ramp_up.unwrap_or_default(),
            })
        })();
        for fault in draft.iter().flat_map(Self::faults) {
            members.fault(fault);
        }
        members.finish(|| draft)
    }

    /// The faults that no member has by itself.
    fn faults(&self) -> Vec<Fault> {
        let mut faults = Vec::new();
        if let (Some(starts_at), Some(stops_at)) = (self.starts_at, self.stops_at)
            && stops_at <= starts_at
        {
            faults.push(Fault::here("must be later than startsAt").under("stopsAt"));
        }
        // The id has a fixed length, and so has a price.
        let id = ExperimentId::new(Timestamp::from_unix_milliseconds(0), [0; 10]);
        let bytes = self.overlay_with(id, |_| None).encode().len();
        if bytes > MOST_BYTES {
            let surplus = bytes - MOST_BYTES;
            let detail = format!(
                "have keys that are too long: the keys, seed and name of the namespace must be {surplus} bytes shorter"
            );
            faults.push(Fault::here(detail).under("variants"));
        }
        faults
    }

    /// The products that have a price in a variant, each once, in the order of their ids.
    pub fn products(&self) -> BTreeSet<ProductId> {
        let prices = self.variants.iter().flat_map(|variant| &variant.prices);
        prices.map(|price| price.product_id).collect()
    }

    /// The overlay of a product.
    pub fn overlay(&self, experiment: ExperimentId, product: ProductId) -> Overlay {
        self.overlay_with(experiment, |variant| variant.price_of(product).map(|price| price.amount))
    }

    /// What decides which visitor gets which variant.
    pub fn assignment(&self, experiment: ExperimentId) -> Assignment {
        self.overlay_with(experiment, |_| None).assignment()
    }

    fn overlay_with(&self, experiment_id: ExperimentId, price: impl Fn(&Variant) -> Option<i64>) -> Overlay {
        let of_product = |variant: &Variant| OverlayVariant {
            key: variant.key.clone(),
            weight: variant.weight,
            price: price(variant),
        };
        Overlay {
            experiment_id,
            hash_version: self.hash_version,
            coverage: self.coverage,
            variants: self.variants.iter().map(of_product).collect(),
            seed: self.seed.clone().unwrap_or_default(),
            namespace: self.namespace.clone(),
        }
    }
}

impl Variant {
    /// The price of a product in this variant; `None` for the product's own.
    pub fn price_of(&self, product: ProductId) -> Option<Money> {
        self.prices.iter().find(|price| price.product_id == product).map(|price| price.price)
    }
}

fn variants(value: Value) -> Checked<Vec<Variant>> {
    let variants = elements(value, 2, MOST_VARIANTS, variant)?;
    let mut faults = Vec::new();
    let mut keys = HashSet::new();
    for (index, variant) in variants.iter().enumerate() {
        if !keys.insert(&variant.key) {
            faults.push(Fault::here("is the key of another variant").under("key").under(&index.to_string()));
        }
    }
    let sum: u32 = variants.iter().map(|variant| u32::from(variant.weight.get())).sum();
    if sum != u32::from(Share::ALL.get()) {
        faults.push(Fault::here(format!("must have weights that sum to 10000, and not to {sum}")));
    }
    if variants.first().is_some_and(|control| !control.prices.is_empty()) {
        let fault = Fault::here("must be empty: the control has the products' own prices");
        faults.push(fault.under("prices").under("0"));
    }
    faults.extend(faults_of_prices(&variants));
    if faults.is_empty() { Ok(variants) } else { Err(faults) }
}

/// The faults of all prices together: number of products, one currency.
fn faults_of_prices(variants: &[Variant]) -> Vec<Fault> {
    let prices = || {
        let of_variant = |(index, variant): (usize, &'_ Variant)| {
            let prices: Vec<_> = variant.prices.iter().cloned().enumerate().collect();
            prices.into_iter().map(move |(position, price)| (index, position, price))
        };
        variants.iter().enumerate().flat_map(of_variant)
    };
    let products: HashSet<_> = prices().map(|(.., price)| price.product_id).collect();
    let mut faults = Vec::new();
    if products.is_empty() || products.len() > MOST_PRODUCTS {
        faults.push(Fault::here(format!(
            "must have prices of 1 to {MOST_PRODUCTS} products, and not of {}",
            products.len()
        )));
    }
    let currency: Option<Currency> = prices().next().map(|(.., first)| first.price.currency);
    for (index, position, price) in prices() {
        if currency.is_some_and(|currency| currency != price.price.currency) {
            faults.push(at_price(index, position, "must have the currency of the first price", "price"));
        }
    }
    faults
}

/// A fault of a member of a price, relative to the variants.
pub(crate) fn at_price(variant: usize, position: usize, detail: &str, member: &str) -> Fault {
    let fault = Fault::here(detail).under(member).under(&position.to_string());
    fault.under("prices").under(&variant.to_string())
}

fn variant(value: Value) -> Checked<Variant> {
    let mut members = Members::of(value)?;
    let key = members.required("key", variant_key);
    let weight = members.required("weight", |value| Share::from_value(&value, 1, Share::ALL.get()));
    let prices = members.optional("prices", variant_prices);
    members.finish(|| Some(Variant { key: key?, weight: weight?, prices: prices.unwrap_or_default() }))
}

fn variant_key(value: Value) -> Checked<String> {
    let key = text::string(value)?;
    let is_sound = (1..=32).contains(&key.len())
        && key.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte));
    if is_sound { Ok(key) } else { Err(vec![Fault::here("must be 1 to 32 letters, digits, - and _")]) }
}

fn variant_prices(value: Value) -> Checked<Vec<VariantPrice>> {
    let mut known = HashSet::new();
    elements(value, 0, MOST_PRODUCTS, |value| {
        let mut members = Members::of(value)?;
        let product_id = members.required("productId", |value| {
            let id =
                text::string(value)?.parse().map_err(|_| vec![Fault::here("must be the id of a product")])?;
            if known.insert(id) {
                Ok(id)
            } else {
                Err(vec![Fault::here("has a price in this variant already")])
            }
        });
        let price = members.required("price", Money::price);
        members.finish(|| Some(VariantPrice { product_id: product_id?, price: price? }))
    })
}

fn namespace_part(value: Value) -> Checked<NamespacePart> {
    let mut members = Members::of(value)?;
    let name = members.required("name", |value| text::line(value, 1, 64));
    let mut bound = |name| members.required(name, |value| Share::from_value(&value, 0, Share::ALL.get()));
    let (from, to) = (bound("from"), bound("to"));
    if let (Some(from), Some(to)) = (from, to)
        && to <= from
    {
        members.fault(Fault::here("must be above from").under("to"));
    }
    members.finish(|| Some(NamespacePart { name: name?, from: from?, to: to? }))
}

fn hash_version(value: &Value) -> Checked<HashVersion> {
    let number = integer(value, 1, 2)?;
    Ok(if number == 1 { HashVersion::V1 } else { HashVersion::V2 })
}

fn metrics(value: Value) -> Checked<Metrics> {
    let mut members = Members::of(value)?;
    let mut shown = HashSet::new();
    let primary = members.required("primary", |value| metric(value, &mut shown));
    let secondary =
        members.optional("secondary", |value| elements(value, 0, 2, |value| metric(value, &mut shown)));
    // A guardrail may be shown in another role as well.
    let mut guards = HashSet::new();
    let guardrails =
        members.optional("guardrails", |value| elements(value, 0, 3, |value| metric(value, &mut guards)));
    members.finish(|| {
        Some(Metrics {
            primary: primary?,
            secondary: secondary.unwrap_or_default(),
            guardrails: guardrails.unwrap_or_default(),
        })
    })
}

/// A metric that is not among the known ones yet.
fn metric(value: Value, known: &mut HashSet<Metric>) -> Checked<Metric> {
    let rule = |_| vec![Fault::here("must be conversion, revenuePerVisitor or averageOrder")];
    let metric = serde_json::from_value(value).map_err(rule)?;
    if known.insert(metric) { Ok(metric) } else { Err(vec![Fault::here("is named twice")]) }
}

fn ramp_up(value: Value) -> Checked<Vec<RampStep>> {
    let mut before: Option<RampStep> = None;
    elements(value, 1, MOST_STEPS, |value| {
        let mut members = Members::of(value)?;
        let after_hours =
            members.required("afterHours", |value| Ok(integer(&value, 1, LATEST_STEP)?.unsigned_abs()));
        let coverage = members.required("coverage", |value| Share::from_value(&value, 1, Share::ALL.get()));
        if let Some(before) = &before {
            if after_hours.is_some_and(|hours| hours <= before.after_hours) {
                members.fault(Fault::here("must be later than the step before").under("afterHours"));
            }
            if coverage.is_some_and(|coverage| coverage <= before.coverage) {
                members.fault(Fault::here("must be above that of the step before").under("coverage"));
            }
        }
        let step = members.finish(|| Some(RampStep { after_hours: after_hours?, coverage: coverage? }))?;
        before = Some(step.clone());
        Ok(step)
    })
}
