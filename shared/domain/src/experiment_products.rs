//! What the start, a rise and the end of an experiment change in its products.

use crate::{
    Error, Fault, Timestamp,
    experiment::{Experiment, ExperimentChange, ExperimentEffect},
    experiment_draft::{VariantPrice, at_price},
    id::ProductId,
    product::{Product, ProductDraft},
};
use std::collections::{HashMap, HashSet};

/// The next versions of an experiment and of the products that it changes.
#[derive(Debug, Clone, PartialEq)]
pub struct ExperimentWrites {
    /// The experiment.
    pub experiment: Experiment,
    /// The products whose overlay changes.
    pub products: Vec<Product>,
}

impl ExperimentChange {
    /// Whether the products have to be read.
    pub fn needs_products(&self) -> bool {
        matches!(
            self.effect,
            ExperimentEffect::Check
                | ExperimentEffect::Start
                | ExperimentEffect::Rise
                | ExperimentEffect::Stop
        )
    }

    /// What has to be written. `known` has the products of the experiment that exist. A product that was deleted while the
    /// experiment runs is passed over.
    pub fn writes(
        self,
        known: &HashMap<ProductId, Product>,
        now: Timestamp,
    ) -> Result<ExperimentWrites, Error> {
        let Self { experiment, effect } = self;
        match effect {
            ExperimentEffect::Nothing | ExperimentEffect::None => {
                Ok(ExperimentWrites { experiment, products: Vec::new() })
            }
            ExperimentEffect::Check => {
                experiment.check_products(known, None)?;
                Ok(ExperimentWrites { experiment, products: Vec::new() })
            }
            ExperimentEffect::Start => {
                experiment.check_products(known, Some(now))?;
                // By the schedule it may start late.
                if experiment.draft.stops_at.is_some_and(|stops_at| stops_at <= now) {
                    return Err(Error::invalid(Fault::here("must be in the future").under("stopsAt")));
                }
                Ok(experiment.started(known, now))
            }
            ExperimentEffect::Rise => experiment.risen(known, now),
            ExperimentEffect::Stop => Ok(experiment.ended(known, now)),
        }
    }
}

impl Experiment {
    /// Names every product that is not the owner's or has another currency. At a start, at this time, also every product
    /// that is in another experiment, or was in too many of late.
    pub fn check_products(
        &self,
        known: &HashMap<ProductId, Product>,
        starts: Option<Timestamp>,
    ) -> Result<(), Error> {
        let mut faults = Vec::new();
        let mut seen = HashSet::new();
        for (index, variant) in self.draft.variants.iter().enumerate() {
            for (position, price) in variant.prices.iter().enumerate() {
                let is_first = seen.insert(price.product_id);
                let product = known.get(&price.product_id).filter(|it| it.seller_id == self.owner_id);
                let mut fault = |detail: &str, member| {
                    faults.push(at_price(index, position, detail, member).under("variants"));
                };
                match product {
                    None if is_first => fault("is no product of yours", "productId"),
                    Some(product) if product.draft.price.currency != price.price.currency => {
                        fault(&format!("must be in {}", product.draft.price.currency.code()), "price");
                    }
                    _ => {}
                }
                if let (true, Some(product), Some(now)) = (is_first, product, starts)
                    && let Some(detail) = self.refusal(product, now)
                {
                    fault(&detail, "productId");
                }
            }
        }
        if faults.is_empty() { Ok(()) } else { Err(Error::Invalid(faults)) }
    }

    /// Why a product cannot be in the experiment that starts now.
    fn refusal(&self, product: &Product, now: Timestamp) -> Option<String> {
        match &product.pricing.overlay {
            Some(other) if other.experiment_id != self.experiment_id => {
                Some(format!("is in the running experiment {}", other.experiment_id))
            }
            _ => {
                let at = product.pricing.replaceable_from(now)?;
                Some(format!("was in experiments too often of late: it may be in another one from {at} on"))
            }
        }
    }

    fn started(self, known: &HashMap<ProductId, Product>, now: Timestamp) -> ExperimentWrites {
        let products: Vec<_> = self.draft.products().iter().filter_map(|id| known.get(id)).collect();
        let of_control =
            |product: &&Product| VariantPrice { product_id: product.product_id, price: product.draft.price };
        let control_prices = products.iter().map(of_control).collect();
        let overlaid = products.into_iter().map(|product| self.overlaid(product, now)).collect();
        ExperimentWrites { products: overlaid, experiment: Self { control_prices, ..self } }
    }

    fn risen(self, known: &HashMap<ProductId, Product>, now: Timestamp) -> Result<ExperimentWrites, Error> {
        let products = self.overlaid_products(known);
        let wait = products.iter().filter_map(|product| product.pricing.replaceable_from(now)).max();
        if let Some(at) = wait {
            let detail = format!("rose too often of late: it may rise again from {at} on");
            return Err(Error::invalid(Fault::here(detail).under("coverage")));
        }
        let products = products.into_iter().map(|product| self.overlaid(product, now)).collect();
        Ok(ExperimentWrites { experiment: self, products })
    }

    fn ended(self, known: &HashMap<ProductId, Product>, now: Timestamp) -> ExperimentWrites {
        let winner = self.draft.variants.iter().find(|variant| Some(&variant.key) == self.winner.as_ref());
        let ended = |product: &Product| {
            let own = product.draft.price;
            let pricing = product.pricing.replaced(None, own, now);
            let price = winner.and_then(|winner| winner.price_of(product.product_id)).unwrap_or(own);
            let updated_at = if price == own { product.updated_at } else { now };
            let draft = ProductDraft { price, ..product.draft.clone() };
            Product { draft, pricing, updated_at, version: product.version + 1, ..product.clone() }
        };
        let products = self.overlaid_products(known).into_iter().map(ended).collect();
        ExperimentWrites { experiment: self, products }
    }

    /// The products that have the overlay of this experiment, in the order of their ids.
    fn overlaid_products<'a>(&self, known: &'a HashMap<ProductId, Product>) -> Vec<&'a Product> {
        let is_overlaid = |product: &&Product| {
            product
                .pricing
                .overlay
                .as_ref()
                .is_some_and(|overlay| overlay.experiment_id == self.experiment_id)
        };
        self.draft.products().iter().filter_map(|id| known.get(id)).filter(is_overlaid).collect()
    }

    /// The next version of a product, with this experiment's overlay. Its time of change stays: the seller has not changed
    /// what it shows.
    fn overlaid(&self, product: &Product, now: Timestamp) -> Product {
        let overlay = self.draft.overlay(self.experiment_id, product.product_id);
        let pricing = product.pricing.replaced(Some(overlay), product.draft.price, now);
        Product { pricing, version: product.version + 1, ..product.clone() }
    }
}
