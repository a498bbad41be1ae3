//! Assigns visitors to the variants of an experiment, exactly as GrowthBook's SDKs do, so that a seller's own site that
//! uses such an SDK shows a visitor the same variant.
//!
//! The rules are those of <https://docs.growthbook.io/lib/build-your-own>; all floating-point operations are in the order
//! of that text, since ranges with other roundings assign other visitors.

use serde::{Deserialize, Serialize};

/// How a visitor's id is hashed. Its JSON is the number of the version.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "u8", into = "u8")]
pub enum HashVersion {
    /// One round, 1,000 buckets. Ids that differ in their last character get buckets that are close together.
    V1,
    /// Two rounds, 10,000 buckets.
    V2,
}

impl From<HashVersion> for u8 {
    fn from(version: HashVersion) -> Self {
        match version {
            HashVersion::V1 => 1,
            HashVersion::V2 => 2,
        }
    }
}

impl TryFrom<u8> for HashVersion {
    type Error = &'static str;

    fn try_from(number: u8) -> Result<Self, Self::Error> {
        match number {
            1 => Ok(Self::V1),
            2 => Ok(Self::V2),
            _ => Err("must be 1 or 2"),
        }
    }
}

/// A half-open range of hashes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct BucketRange {
    /// The lowest hash in it.
    pub start: f64,
    /// The lowest hash above it.
    pub end: f64,
}

impl BucketRange {
    pub(crate) fn contains(self, hash: f64) -> bool {
        hash >= self.start && hash < self.end
    }
}

/// Experiments of one namespace with ranges that do not overlap have no visitor in common.
#[derive(Debug, Clone, PartialEq)]
pub struct Namespace {
    /// The namespace's name.
    pub name: String,
    /// The hashes whose visitors may be in the experiment.
    pub range: BucketRange,
}

impl Namespace {
    /// The seed of the hash.
    pub(crate) fn seed(&self) -> String {
        format!("__{}", self.name)
    }
}

/// What decides which visitor gets which variant.
#[derive(Debug, Clone, PartialEq)]
pub struct Assignment {
    /// Goes into the hash: two experiments with different seeds assign visitors independently of each other. The SDKs
    /// take the experiment's key in place of an empty seed.
    pub seed: String,
    /// How ids are hashed.
    pub hash_version: HashVersion,
    /// The share of visitors who are in the experiment, 0 to 1.
    pub coverage: f64,
    /// The share of each variant; they sum to 1.
    pub weights: Vec<f64>,
    /// The namespace, if the experiment is in one.
    pub namespace: Option<Namespace>,
}

impl Assignment {
    /// The index of a visitor's variant; `None` for a visitor who is not in the experiment. An empty id never is.
    pub fn variant(&self, visitor: &str) -> Option<usize> {
        let is_outside = self.namespace.as_ref().is_some_and(|namespace| !in_namespace(visitor, namespace));
        if visitor.is_empty() || is_outside {
            return None;
        }
        let ranges = bucket_ranges(self.weights.len(), self.coverage, Some(&self.weights));
        choose_variation(hash(&self.seed, visitor, self.hash_version), &ranges)
    }
}

/// The hash of an id: at least 0, below 1.
pub fn hash(seed: &str, id: &str, version: HashVersion) -> f64 {
    match version {
        HashVersion::V1 => f64::from(fnv1a([id, seed]) % 1000) / 1000.0,
        HashVersion::V2 => f64::from(fnv1a([&fnv1a([seed, id]).to_string()]) % 10_000) / 10_000.0,
    }
}

/// FNV-1a of 32 bits over the UTF-16 code units of the texts, one after the other. The hash is defined over bytes; the
/// SDKs pass whole code units.
pub(crate) fn fnv1a<const N: usize>(texts: [&str; N]) -> u32 {
    let units = texts.into_iter().flat_map(str::encode_utf16);
    units.fold(0x811c_9dc5, |hash: u32, unit| (hash ^ u32::from(unit)).wrapping_mul(0x0100_0193))
}

/// The range of each variant. A range begins where the weights before it end, whatever the coverage: when coverage rises,
/// visitors are added to variants, and none changes theirs.
///
/// Coverage outside of 0 to 1 is taken as the nearer end. Weights that are absent, that are not one for each variant, or
/// whose sum is more than 0.01 off 1 are taken as equal.
pub fn bucket_ranges(variants: usize, coverage: f64, weights: Option<&[f64]>) -> Vec<BucketRange> {
    let coverage = coverage.clamp(0.0, 1.0);
    let is_usable = |weights: &&[f64]| {
        let sum = weights.iter().fold(0.0, |sum, weight| sum + weight);
        weights.len() == variants && (0.99..=1.01).contains(&sum)
    };
    let weights = weights.filter(is_usable).map_or_else(|| equal_weights(variants), <[f64]>::to_vec);
    let mut next = 0.0;
    let range = |weight: f64| {
        let start = next;
        next += weight;
        BucketRange { start, end: start + coverage * weight }
    };
    weights.into_iter().map(range).collect()
}

/// The same weight for each variant.
pub fn equal_weights(variants: usize) -> Vec<f64> {
    #[expect(clippy::cast_precision_loss, reason = "an experiment has few variants")]
    let weight = 1.0 / variants as f64;
    vec![weight; variants]
}

/// The index of the first range that contains the hash.
pub fn choose_variation(hash: f64, ranges: &[BucketRange]) -> Option<usize> {
    ranges.iter().position(|range| range.contains(hash))
}

/// Whether a visitor may be in the experiments that have this part of a namespace.
pub fn in_namespace(visitor: &str, namespace: &Namespace) -> bool {
    namespace.range.contains(hash(&namespace.seed(), visitor, HashVersion::V1))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ranges(pairs: &[(f64, f64)]) -> Vec<BucketRange> {
        pairs.iter().map(|&(start, end)| BucketRange { start, end }).collect()
    }

    fn halves(coverage: f64) -> Assignment {
        let seed = "tea-price".to_owned();
        Assignment { seed, hash_version: HashVersion::V2, coverage, weights: vec![0.5, 0.5], namespace: None }
    }

    fn visitors() -> impl Iterator<Item = String> {
        (0..20_000).map(|number| format!("visitor-{number}"))
    }

    /// The first two of version 2 are of GrowthBook's specification.
    #[test]
    #[expect(clippy::float_cmp, reason = "a hash is one division of integers: it has one value")]
    fn hashes_have_their_known_values() {
        for (seed, id, version, expected) in [
            ("seed", "a", HashVersion::V2, 0.0505),
            ("foo", "ab", HashVersion::V2, 0.2575),
            ("", "souk", HashVersion::V1, 0.095),
            ("\u{e9}", "\u{1f375}", HashVersion::V2, 0.4135),
            ("\u{e9}", "\u{1f375}", HashVersion::V1, 0.041),
        ] {
            assert_eq!(hash(seed, id, version), expected, "{seed} {id} {version:?}");
        }
    }

    #[test]
    fn seed_and_id_are_joined_in_the_order_of_their_version() {
        assert!((hash("a", "b", HashVersion::V1) - hash("b", "a", HashVersion::V1)).abs() > 1e-3);
        assert_eq!(fnv1a(["ab", "c"]), fnv1a(["a", "bc"]));
        // Published test vectors of FNV-1a: for ASCII, code units are bytes.
        assert_eq!((fnv1a([""]), fnv1a(["a"]), fnv1a(["foobar"])), (0x811c_9dc5, 0xe40c_292c, 0xbf9c_f968));
    }

    #[test]
    fn a_range_begins_where_the_weights_before_it_end_whatever_the_coverage() {
        assert_eq!(bucket_ranges(2, 1.0, None), ranges(&[(0.0, 0.5), (0.5, 1.0)]));
        assert_eq!(
            bucket_ranges(2, 0.1, Some(&[0.25, 0.75])),
            ranges(&[(0.0, 0.025), (0.25, 0.25 + 0.1 * 0.75)])
        );
        assert_eq!(
            bucket_ranges(3, 0.0, Some(&[0.5, 0.25, 0.25])),
            ranges(&[(0.0, 0.0), (0.5, 0.5), (0.75, 0.75)])
        );
        assert_eq!(bucket_ranges(0, 1.0, None), []);
    }

    /// 0.1 + 0.2 is not 0.3, and 3 × 0.1 is neither: other orders of the operations give other ranges.
    #[test]
    fn ranges_are_rounded_in_the_order_of_the_specification() {
        let (a, b, c): (f64, f64, f64) = (0.1, 0.2, 0.7);
        let expected = ranges(&[(0.0, 0.3 * a), (a, a + 0.3 * b), (a + b, (a + b) + 0.3 * c)]);
        let found = bucket_ranges(3, 0.3, Some(&[a, b, c]));
        assert_eq!(found, expected);
        assert!(found[2].start > 0.3, "{}", found[2].start);
    }

    #[test]
    fn unusable_weights_are_taken_as_equal_and_coverage_as_the_nearer_end() {
        let equal = ranges(&[(0.0, 0.5), (0.5, 1.0)]);
        for weights in [&[1.0][..], &[0.5, 0.48], &[0.5, 0.52], &[0.2, 0.3, 0.5]] {
            assert_eq!(bucket_ranges(2, 1.0, Some(weights)), equal, "{weights:?}");
        }
        assert_eq!(bucket_ranges(2, 1.0, Some(&[0.5, 0.495])), ranges(&[(0.0, 0.5), (0.5, 0.995)]));
        assert_eq!(bucket_ranges(2, 1.0, Some(&[0.5, 0.505])), ranges(&[(0.0, 0.5), (0.5, 1.005)]));
        assert_eq!(bucket_ranges(2, 7.0, None), equal);
        assert_eq!(bucket_ranges(2, -0.5, None), ranges(&[(0.0, 0.0), (0.5, 0.5)]));
    }

    #[test]
    fn ranges_are_half_open() {
        let ranges = ranges(&[(0.0, 0.25), (0.5, 0.5), (0.5, 0.75)]);
        for (hash, expected) in
            [(0.0, Some(0)), (0.2499, Some(0)), (0.25, None), (0.5, Some(2)), (0.7499, Some(2)), (0.75, None)]
        {
            assert_eq!(choose_variation(hash, &ranges), expected, "{hash}");
        }
    }

    #[test]
    fn a_namespace_is_hashed_by_version_1_with_underscores_before_its_name() {
        for (visitor, hash) in [("visitor-1", 0.635), ("visitor-2", 0.314)] {
            let of = |start, end| Namespace { name: "prices".to_owned(), range: BucketRange { start, end } };
            assert!(in_namespace(visitor, &of(hash, hash + 0.001)), "{visitor}");
            assert!(!in_namespace(visitor, &of(0.0, hash)), "{visitor}");
        }
    }

    #[test]
    fn parts_of_a_namespace_share_no_visitor() {
        let part = |start, end| Assignment {
            namespace: Some(Namespace { name: "prices".to_owned(), range: BucketRange { start, end } }),
            ..halves(1.0)
        };
        let (first, second) = (part(0.0, 0.4), part(0.4, 1.0));
        let mut counts = (0, 0);
        for visitor in visitors() {
            let (in_first, in_second) =
                (first.variant(&visitor).is_some(), second.variant(&visitor).is_some());
            assert!(in_first != in_second, "{visitor}");
            counts = (counts.0 + u32::from(in_first), counts.1 + u32::from(in_second));
        }
        assert!((7_500..8_500).contains(&counts.0), "{counts:?}");
        let named =
            |name: &str| Namespace { name: name.to_owned(), range: BucketRange { start: 0.0, end: 0.5 } };
        assert!(visitors().any(|id| in_namespace(&id, &named("a")) != in_namespace(&id, &named("b"))));
    }

    #[test]
    fn a_rising_coverage_adds_visitors_and_moves_none() {
        let (low, high) = (halves(0.2), halves(0.7));
        let mut added = 0;
        for visitor in visitors() {
            match (low.variant(&visitor), high.variant(&visitor)) {
                (Some(before), after) => assert_eq!(after, Some(before), "{visitor}"),
                (None, after) => added += u32::from(after.is_some()),
            }
        }
        assert!((9_500..10_500).contains(&added), "{added}");
    }

    #[test]
    fn visitors_are_shared_by_the_weights_and_differently_for_each_seed() {
        let weights = [0.2, 0.3, 0.5];
        let of = |seed: &str| Assignment { seed: seed.to_owned(), weights: weights.to_vec(), ..halves(1.0) };
        let (first, second) = (of("first"), of("second"));
        let mut counts = [[0_u32; 3]; 3];
        for visitor in visitors() {
            counts[first.variant(&visitor).unwrap()][second.variant(&visitor).unwrap()] += 1;
        }
        for (row, weight) in counts.iter().zip(weights) {
            for (count, other) in row.iter().zip(weights) {
                let expected = 20_000.0 * weight * other;
                assert!((f64::from(*count) - expected).abs() < 5.0 * expected.sqrt(), "{counts:?}");
            }
        }
    }

    #[test]
    fn an_empty_id_is_in_no_experiment() {
        assert_eq!(halves(1.0).variant(""), None);
        assert!(halves(1.0).variant("a").is_some());
    }
}
