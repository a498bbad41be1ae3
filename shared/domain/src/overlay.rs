//! The overlay of a product in a running price experiment: what assigns a visitor to a variant and what that visitor pays,
//! in at most [`MOST_BYTES`] bytes, which are stored with the product. Whoever has the product can compute every visitor's
//! price without another read.
//!
//! | bytes | content |
//! |---|---|
//! | 1 | hash version, which is also the version of this format |
//! | 16 | experiment id |
//! | 2 | coverage, in ten-thousandths |
//! | 1 | number of variants |
//! | 2, 1, n | of each variant: weight, length of the key, key |
//! | 5 | of each variant but the first: price in minor units, 0 for the product's own |
//! | 1, n | length of the seed, seed; empty for the experiment's id |
//! | 1, n, 2, 2 | length of the namespace's name, name, start, end; 0 alone for no namespace |
//!
//! Numbers are unsigned and in network byte order; texts are in UTF-8.

use crate::{
    Money,
    assignment::{Assignment, BucketRange, HashVersion, Namespace},
    id::{ExperimentId, VisitorUuid},
    share::Share,
};
use serde::{Deserialize, Serialize};

/// The length of the longest overlay.
pub const MOST_BYTES: usize = 160;

/// Five bytes hold a trillion minor units, ten times the highest price.
const PRICE_BYTES: usize = 5;

/// The part of a namespace that an experiment occupies.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NamespacePart {
    /// The name of the namespace.
    pub name: String,
    /// Where the part starts.
    pub from: Share,
    /// Where it ends; the end itself is not in the part.
    pub to: Share,
}

impl NamespacePart {
    fn to_namespace(&self) -> Namespace {
        let range = BucketRange { start: self.from.fraction(), end: self.to.fraction() };
        Namespace { name: self.name.clone(), range }
    }
}

/// A variant, as a product knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OverlayVariant {
    /// The key.
    pub key: String,
    /// Its share of the visitors in the experiment.
    pub weight: Share,
    /// The product's price in it, in minor units of the product's currency; `None` for the product's own.
    pub price: Option<i64>,
}

/// The overlay of a product in a running experiment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Overlay {
    /// The experiment.
    pub experiment_id: ExperimentId,
    /// How ids are hashed.
    pub hash_version: HashVersion,
    /// The share of visitors who are in the experiment.
    pub coverage: Share,
    /// The variants, the control first.
    pub variants: Vec<OverlayVariant>,
    /// Goes into the hash; empty for the experiment's id.
    pub seed: String,
    /// The namespace, if the experiment is in one.
    pub namespace: Option<NamespacePart>,
}

/// The experiment and the variant that a visitor is in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct InExperiment {
    /// The experiment.
    pub experiment_id: ExperimentId,
    /// The key of the variant.
    pub variant: String,
}

/// What a visitor pays for one unit of a product, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Offer {
    /// The price.
    pub price: Money,
    /// The experiment, for a visitor who is in one; the control is in it too.
    pub experiment: Option<InExperiment>,
}

impl Overlay {
    /// What decides which visitor gets which variant.
    pub fn assignment(&self) -> Assignment {
        Assignment {
            seed: if self.seed.is_empty() { self.experiment_id.to_string() } else { self.seed.clone() },
            hash_version: self.hash_version,
            coverage: self.coverage.fraction(),
            weights: self.variants.iter().map(|variant| variant.weight.fraction()).collect(),
            namespace: self.namespace.as_ref().map(NamespacePart::to_namespace),
        }
    }

    /// The visitor's variant; `None` for a visitor who is not in the experiment.
    pub fn variant(&self, visitor: VisitorUuid) -> Option<&OverlayVariant> {
        self.variants.get(self.assignment().variant(&visitor.to_string())?)
    }

    /// What the visitor pays for a product with this price of its own; `None` for a visitor who is not in the experiment.
    pub fn price_for(&self, visitor: VisitorUuid, own: Money) -> Option<Offer> {
        let variant = self.variant(visitor)?;
        let in_experiment = InExperiment { experiment_id: self.experiment_id, variant: variant.key.clone() };
        let price = Money { amount: variant.price.unwrap_or(own.amount), ..own };
        Some(Offer { price, experiment: Some(in_experiment) })
    }

    /// The stored form. It has more than [`MOST_BYTES`] if the texts are too long together.
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = vec![self.hash_version.into()];
        bytes.extend(self.experiment_id.as_bytes());
        bytes.extend(self.coverage.get().to_be_bytes());
        bytes.push(u8::try_from(self.variants.len()).unwrap_or(u8::MAX));
        for variant in &self.variants {
            bytes.extend(variant.weight.get().to_be_bytes());
            put_text(&mut bytes, &variant.key);
        }
        for variant in self.variants.iter().skip(1) {
            let amount = variant.price.unwrap_or_default().to_be_bytes();
            bytes.extend(&amount[amount.len() - PRICE_BYTES..]);
        }
        put_text(&mut bytes, &self.seed);
        match &self.namespace {
            None => bytes.push(0),
            Some(part) => {
                put_text(&mut bytes, &part.name);
                bytes.extend([part.from, part.to].into_iter().flat_map(|share| share.get().to_be_bytes()));
            }
        }
        bytes
    }

    /// The overlay of its stored form; `None` for other bytes.
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        let mut reader = Reader(bytes);
        let hash_version = HashVersion::try_from(reader.byte()?).ok()?;
        let experiment_id = ExperimentId::from_bytes(reader.array()?);
        let coverage = reader.share()?;
        let count = reader.byte()?;
        let variant = |reader: &mut Reader<'_>| {
            let (weight, key) = (reader.share()?, reader.text()?);
            Some(OverlayVariant { key, weight, price: None })
        };
        let mut variants: Vec<_> = (0..count).map(|_| variant(&mut reader)).collect::<Option<_>>()?;
        for variant in variants.iter_mut().skip(1) {
            let mut amount = [0; 8];
            amount[8 - PRICE_BYTES..].copy_from_slice(&reader.array::<PRICE_BYTES>()?);
            variant.price = Some(i64::from_be_bytes(amount)).filter(|amount| *amount != 0);
        }
        let seed = reader.text()?;
        let name = reader.text()?;
        let namespace = if name.is_empty() {
            None
        } else {
            Some(NamespacePart { name, from: reader.share()?, to: reader.share()? })
        };
        let whole = reader.0.is_empty();
        whole.then_some(Self { experiment_id, hash_version, coverage, variants, seed, namespace })
    }
}

/// Writes a text of 255 bytes at most, after its length.
fn put_text(bytes: &mut Vec<u8>, text: &str) {
    bytes.push(u8::try_from(text.len()).unwrap_or(u8::MAX));
    bytes.extend(text.as_bytes());
}

/// The bytes that were not read yet.
struct Reader<'a>(&'a [u8]);

impl Reader<'_> {
    fn take(&mut self, count: usize) -> Option<&[u8]> {
        let (taken, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(taken)
    }

    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        self.take(N)?.try_into().ok()
    }

    fn byte(&mut self) -> Option<u8> {
        self.array().map(|[byte]| byte)
    }

    fn share(&mut self) -> Option<Share> {
        Share::new(u16::from_be_bytes(self.array()?))
    }

    fn text(&mut self) -> Option<String> {
        let length = self.byte()?;
        String::from_utf8(self.take(length.into())?.to_vec()).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Timestamp, id::Id, money::HIGHEST_PRICE};

    fn id<T: Id>(byte: u8) -> T {
        T::new(Timestamp::from_unix_milliseconds(1_000), [byte; 10])
    }

    fn variant(key: &str, weight: u16, price: Option<i64>) -> OverlayVariant {
        OverlayVariant { key: key.to_owned(), weight: Share::new(weight).unwrap(), price }
    }

    fn overlay() -> Overlay {
        Overlay {
            experiment_id: id(7),
            hash_version: HashVersion::V2,
            coverage: Share::ALL,
            variants: vec![variant("control", 5_000, None), variant("low", 5_000, Some(1_799))],
            seed: String::new(),
            namespace: None,
        }
    }

    fn widest() -> Overlay {
        let name = |number: usize| if number == 0 { "control".to_owned() } else { format!("v{number}") };
        let part = NamespacePart { name: "é".repeat(10), from: Share::new(1).unwrap(), to: Share::ALL };
        Overlay {
            hash_version: HashVersion::V1,
            variants: (0..10)
                .map(|number| variant(&name(number), 1_000, (number > 0).then_some(HIGHEST_PRICE)))
                .collect(),
            seed: "tea-price".to_owned(),
            namespace: Some(part),
            ..overlay()
        }
    }

    fn sgd(amount: i64) -> Money {
        Money { amount, currency: "SGD".parse().unwrap() }
    }

    #[test]
    fn an_overlay_is_read_as_it_was_written() {
        for overlay in [overlay(), widest(), Overlay { variants: widest().variants, ..overlay() }] {
            assert_eq!(Overlay::decode(&overlay.encode()), Some(overlay));
        }
        let treatment_without_a_price = Overlay { variants: vec![variant("a", 1, None); 3], ..overlay() };
        let bytes = treatment_without_a_price.encode();
        assert_eq!(Overlay::decode(&bytes), Some(treatment_without_a_price));
    }

    #[test]
    fn ten_variants_with_the_highest_prices_fit() {
        assert_eq!((overlay().encode().len(), widest().encode().len()), (43, 155));
    }

    #[test]
    fn bytes_that_are_no_overlay_are_refused() {
        let bytes = widest().encode();
        for end in 0..bytes.len() {
            assert_eq!(Overlay::decode(&bytes[..end]), None, "{end}");
        }
        assert_eq!(Overlay::decode(&[bytes.as_slice(), &[0]].concat()), None);
        assert_eq!(Overlay::decode(&[&[3], &bytes[1..]].concat()), None);
        let above_all = [&bytes[..17], &[0xff, 0xff], &bytes[19..]].concat();
        assert_eq!(Overlay::decode(&above_all), None);
    }

    #[test]
    fn a_visitor_pays_the_price_of_the_variant_that_growthbook_assigns() {
        let seed = overlay().experiment_id.to_string();
        let mut counts = [0; 2];
        for byte in 0..200 {
            let visitor: VisitorUuid = id(byte);
            let hash = crate::assignment::hash(&seed, &visitor.to_string(), HashVersion::V2);
            let (index, price) = if hash < 0.5 { (0, sgd(1_999)) } else { (1, sgd(1_799)) };
            let offer = overlay().price_for(visitor, sgd(1_999)).unwrap();
            let variant = overlay().variants[index].key.clone();
            let experiment = Some(InExperiment { experiment_id: id(7), variant });
            assert_eq!(offer, Offer { price, experiment });
            counts[index] += 1;
        }
        assert!(counts.iter().all(|count| *count > 50), "{counts:?}");
    }

    #[test]
    fn a_seed_replaces_the_experiments_id_and_a_visitor_outside_has_no_offer() {
        let seeded = Overlay { seed: "tea".to_owned(), ..overlay() };
        assert_eq!(
            (overlay().assignment().seed, seeded.assignment().seed),
            (id::<ExperimentId>(7).to_string(), "tea".into())
        );
        let nobody = Overlay { coverage: Share::new(0).unwrap(), ..overlay() };
        assert_eq!(nobody.price_for(id(1), sgd(5)), None);
        let part = NamespacePart { name: "n".into(), from: Share::ALL, to: Share::ALL };
        assert_eq!(Overlay { namespace: Some(part), ..overlay() }.price_for(id(1), sgd(5)), None);
    }
}
