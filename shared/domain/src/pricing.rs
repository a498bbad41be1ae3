//! How a product is priced beside its own price: the overlay of a running experiment, and what was offered before.
//!
//! A visitor may pay what they were entitled to within the last [`PROMISE_SECONDS`]. A product therefore keeps each price
//! and overlay that an experiment has replaced for that time.

use crate::{
    Money, Timestamp,
    currency::Currency,
    id::VisitorUuid,
    overlay::{Offer, Overlay},
};

/// How long a price that was replaced by the start, the change or the end of an experiment is good, in seconds.
pub const PROMISE_SECONDS: u64 = 30 * 60;

/// As many replaced prices may be good when an experiment starts or its coverage rises. A stop is never refused.
pub const MOST_PROMISES: usize = 3;

/// A price and an overlay that were replaced.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Promise {
    /// Until when they are good.
    pub until: Timestamp,
    /// The product's own price.
    pub price: Money,
    /// The overlay, if there was one.
    pub overlay: Option<Overlay>,
}

/// How a product is priced beside its own price.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Pricing {
    /// The overlay of the running experiment that the product is in.
    pub overlay: Option<Overlay>,
    /// What was replaced in the last half hour, oldest first.
    pub promises: Vec<Promise>,
}

impl Pricing {
    /// What a visitor pays now for a product with this price of its own.
    pub fn offer(&self, visitor: Option<VisitorUuid>, own: Money) -> Offer {
        offer(self.overlay.as_ref(), visitor, own)
    }

    /// Until when each promise is good that is good now.
    pub fn promised_until(&self, now: Timestamp) -> impl Iterator<Item = Timestamp> + '_ {
        self.promises.iter().map(|promise| promise.until).filter(move |until| *until > now)
    }

    /// What a visitor was offered just before the prices were replaced that are promised until this time; what they are
    /// offered now if this product's prices were not replaced since.
    pub fn offer_promised_until(&self, until: Timestamp, visitor: Option<VisitorUuid>, own: Money) -> Offer {
        let since = self.promises.iter().filter(|promise| promise.until >= until);
        match since.min_by_key(|promise| promise.until) {
            Some(promise) => offer(promise.overlay.as_ref(), visitor, promise.price),
            None => self.offer(visitor, own),
        }
    }

    /// The pricing after its overlay was replaced; `own` is the product's own price until now.
    #[must_use]
    pub fn replaced(&self, overlay: Option<Overlay>, own: Money, now: Timestamp) -> Self {
        let until = now.plus_seconds(PROMISE_SECONDS);
        let replaced = Promise { until, price: own, overlay: self.overlay.clone() };
        let mut promises = self.without_expired(now).promises;
        promises.push(replaced);
        Self { overlay, promises }
    }

    /// The pricing without promises that are no longer good.
    #[must_use]
    pub fn without_expired(&self, now: Timestamp) -> Self {
        let live = self.promises.iter().filter(|promise| promise.until > now);
        Self { overlay: self.overlay.clone(), promises: live.cloned().collect() }
    }

    /// When the overlay may be replaced by a start or a rise; `None` if it may be now.
    pub fn replaceable_from(&self, now: Timestamp) -> Option<Timestamp> {
        let live = self.without_expired(now).promises;
        let surplus = live.len().checked_sub(MOST_PROMISES)?;
        live.get(surplus).map(|promise| promise.until)
    }
}

fn offer(overlay: Option<&Overlay>, visitor: Option<VisitorUuid>, own: Money) -> Offer {
    let tested = visitor.and_then(|visitor| overlay?.price_for(visitor, own));
    tested.unwrap_or(Offer { price: own, experiment: None })
}

/// The length of a promise's stored form without its overlay: time in milliseconds, amount, currency.
const HEAD_BYTES: usize = 8 + 8 + 3;

impl Promise {
    /// The stored form.
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = self.until.unix_milliseconds().to_be_bytes().to_vec();
        bytes.extend(self.price.amount.to_be_bytes());
        bytes.extend(self.price.currency.code().as_bytes());
        bytes.extend(self.overlay.iter().flat_map(Overlay::encode));
        bytes
    }

    /// The promise of its stored form; `None` for other bytes.
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        let (head, overlay) = bytes.split_at_checked(HEAD_BYTES)?;
        let until = u64::from_be_bytes(head[..8].try_into().ok()?);
        let amount = i64::from_be_bytes(head[8..16].try_into().ok()?);
        let currency: Currency = std::str::from_utf8(&head[16..]).ok()?.parse().ok()?;
        let overlay = if overlay.is_empty() { None } else { Some(Overlay::decode(overlay)?) };
        let until = Timestamp::from_unix_milliseconds(until);
        Some(Self { until, price: Money { amount, currency }, overlay })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        assignment::HashVersion,
        id::{ExperimentId, Id},
        overlay::OverlayVariant,
        share::Share,
    };

    fn at(seconds: u64) -> Timestamp {
        Timestamp::from_unix_milliseconds(seconds * 1000)
    }

    fn sgd(amount: i64) -> Money {
        Money { amount, currency: "SGD".parse().unwrap() }
    }

    fn visitor() -> VisitorUuid {
        VisitorUuid::new(at(1), [1; 10])
    }

    /// An overlay with which every visitor pays this price.
    fn everybody_pays(amount: i64) -> Overlay {
        let variant = |key: &str, weight, price| OverlayVariant {
            key: key.to_owned(),
            weight: Share::new(weight).unwrap(),
            price,
        };
        Overlay {
            experiment_id: ExperimentId::new(at(1), [2; 10]),
            hash_version: HashVersion::V2,
            coverage: Share::ALL,
            variants: vec![variant("control", 0, None), variant("b", 10_000, Some(amount))],
            seed: String::new(),
            namespace: None,
        }
    }

    /// What this visitor pays now, and what they were promised, oldest first.
    fn prices(pricing: &Pricing, visitor: Option<VisitorUuid>, own: i64, now: Timestamp) -> (i64, Vec<i64>) {
        let promised = |until| pricing.offer_promised_until(until, visitor, sgd(own)).price.amount;
        (pricing.offer(visitor, sgd(own)).price.amount, pricing.promised_until(now).map(promised).collect())
    }

    #[test]
    fn without_a_visitor_or_an_experiment_the_price_is_the_products_own() {
        let own = Offer { price: sgd(20), experiment: None };
        assert_eq!(Pricing::default().offer(Some(visitor()), sgd(20)), own);
        let tested = Pricing { overlay: Some(everybody_pays(17)), promises: vec![] };
        assert_eq!(tested.offer(None, sgd(20)), own);
        assert_eq!(tested.offer(Some(visitor()), sgd(20)).price, sgd(17));
    }

    #[test]
    fn what_was_replaced_is_good_for_half_an_hour() {
        let started = Pricing::default().replaced(Some(everybody_pays(17)), sgd(20), at(0));
        let stopped = started.replaced(None, sgd(20), at(600));
        let prices = |pricing, now| prices(pricing, Some(visitor()), 20, now);
        assert_eq!(prices(&started, at(1_799)), (17, vec![20]));
        assert_eq!(prices(&started, at(1_800)), (17, vec![]));
        assert_eq!(prices(&stopped, at(600)), (20, vec![20, 17]));
        assert_eq!(prices(&stopped, at(2_399)), (20, vec![17]));
        assert_eq!(prices(&stopped, at(2_400)), (20, vec![]));
        assert_eq!(stopped.replaced(None, sgd(20), at(1_800)).promises.len(), 2);
    }

    #[test]
    fn a_promise_has_the_products_own_price_of_its_time() {
        let stopped = Pricing { overlay: Some(everybody_pays(17)), promises: vec![] };
        let rolled_out = stopped.replaced(None, sgd(20), at(0));
        assert_eq!(prices(&rolled_out, None, 17, at(1)), (17, vec![20]));
    }

    #[test]
    fn a_price_that_was_not_replaced_since_is_the_one_of_now() {
        let pricing = Pricing::default().replaced(Some(everybody_pays(17)), sgd(20), at(0));
        for (until, amount) in [(1_799, 20), (1_800, 20), (1_801, 17)] {
            assert_eq!(
                pricing.offer_promised_until(at(until), Some(visitor()), sgd(20)).price,
                sgd(amount),
                "{until}"
            );
        }
    }

    #[test]
    fn the_fourth_promise_within_half_an_hour_has_to_wait() {
        let mut pricing = Pricing::default();
        for second in [0, 10, 20] {
            assert_eq!(pricing.replaceable_from(at(second)), None);
            pricing = pricing.replaced(Some(everybody_pays(1)), sgd(20), at(second));
        }
        assert_eq!(pricing.replaceable_from(at(30)), Some(at(1_800)));
        assert_eq!(pricing.replaceable_from(at(1_800)), None);
        let stopped = pricing.replaced(None, sgd(20), at(30));
        assert_eq!(stopped.replaceable_from(at(40)), Some(at(1_810)));
    }

    #[test]
    fn a_promise_is_read_as_it_was_written() {
        for overlay in [None, Some(everybody_pays(17))] {
            let promise = Promise { until: at(1_234), price: sgd(1_999), overlay };
            assert_eq!(Promise::decode(&promise.encode()), Some(promise.clone()));
            assert_eq!(Promise::decode(&promise.encode()[..18]), None);
        }
        assert_eq!(Promise::decode(&[255; 25]), None);
    }
}
