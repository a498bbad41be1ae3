//! The buckets of an experiment's variants, with which a query of ClickHouse assigns visitors as [`Assignment`] does. The query
//! hashes a visitor's id to an integer and compares that with ranges of integers, so that it rounds nothing.

use crate::assignment::{Assignment, HashVersion, Namespace, bucket_ranges, choose_variation, fnv1a};
use std::ops::Range;

/// The buckets of an experiment.
///
/// Version 1 hashes a visitor's id and then `seed`, by [FNV-1a](fnv1a) from its usual start. Version 2 hashes the id from
/// `seed_state` on, and then the decimal digits of that hash from the usual start. The bucket is the remainder by `count`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AssignmentBuckets {
    /// How ids are hashed.
    pub hash_version: HashVersion,
    /// The number of buckets.
    pub count: u32,
    /// The code units of the seed.
    pub seed: Vec<u16>,
    /// The hash of the seed alone.
    pub seed_state: u32,
    /// The buckets of each variant.
    pub variants: Vec<Range<u32>>,
    /// The buckets of the namespace.
    pub namespace: Option<NamespaceBuckets>,
}

/// The buckets of a part of a namespace, of 1,000. Ids are hashed as by version 1.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NamespaceBuckets {
    /// The code units of the seed.
    pub seed: Vec<u16>,
    /// The buckets.
    pub buckets: Range<u32>,
}

/// The number of buckets of version 1, and of namespaces.
const FEW: u32 = 1_000;
/// The number of buckets of version 2.
const MANY: u32 = 10_000;

impl AssignmentBuckets {
    /// The buckets of this assignment.
    pub fn of(assignment: &Assignment) -> Self {
        let Assignment { seed, hash_version, coverage, weights, namespace } = assignment;
        let count = if *hash_version == HashVersion::V1 { FEW } else { MANY };
        let ranges = bucket_ranges(weights.len(), *coverage, Some(weights));
        let variant = |index| {
            buckets(count, |bucket| choose_variation(fraction(bucket, count), &ranges) == Some(index))
        };
        Self {
            hash_version: *hash_version,
            count,
            seed: seed.encode_utf16().collect(),
            seed_state: fnv1a([seed]),
            variants: (0..weights.len()).map(variant).collect(),
            namespace: namespace.as_ref().map(NamespaceBuckets::of),
        }
    }
}

impl NamespaceBuckets {
    fn of(namespace: &Namespace) -> Self {
        Self {
            seed: namespace.seed().encode_utf16().collect(),
            buckets: buckets(FEW, |bucket| namespace.range.contains(fraction(bucket, FEW))),
        }
    }
}

/// The hash of a bucket, by the same division as that of an id.
fn fraction(bucket: u32, count: u32) -> f64 {
    f64::from(bucket) / f64::from(count)
}

/// The range of the buckets for which this is true.
fn buckets(count: u32, is_in: impl Fn(u32) -> bool) -> Range<u32> {
    let first = (0..count).find(|bucket| is_in(*bucket)).unwrap_or(count);
    let end = (first..count).find(|bucket| !is_in(*bucket)).unwrap_or(count);
    first..end
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::assignment::{BucketRange, hash};

    fn assignment(coverage: f64, weights: &[f64], hash_version: HashVersion) -> Assignment {
        let seed = "tea-\u{e9}".to_owned();
        Assignment { seed, hash_version, coverage, weights: weights.to_vec(), namespace: None }
    }

    /// FNV-1a of one byte for each character, as a query computes it.
    fn step(hash: u32, unit: u16) -> u32 {
        (hash ^ u32::from(unit)).wrapping_mul(0x0100_0193)
    }

    fn bytes(text: &str) -> impl Iterator<Item = u16> + '_ {
        text.bytes().map(u16::from)
    }

    const START: u32 = 0x811c_9dc5;

    /// The variant of a visitor with an id in ASCII, computed from buckets as the documentation of [`AssignmentBuckets`] says.
    fn computed(buckets: &AssignmentBuckets, visitor: &str) -> Option<usize> {
        let version_1 = |seed: &[u16]| bytes(visitor).chain(seed.iter().copied()).fold(START, step);
        let is_outside = buckets
            .namespace
            .as_ref()
            .is_some_and(|namespace| !namespace.buckets.contains(&(version_1(&namespace.seed) % FEW)));
        if is_outside {
            return None;
        }
        let hash = match buckets.hash_version {
            HashVersion::V1 => version_1(&buckets.seed),
            HashVersion::V2 => {
                bytes(&bytes(visitor).fold(buckets.seed_state, step).to_string()).fold(START, step)
            }
        };
        buckets.variants.iter().position(|range| range.contains(&(hash % buckets.count)))
    }

    #[test]
    fn the_buckets_assign_as_the_assignment_does() {
        let namespace = Namespace { name: "prices".to_owned(), range: BucketRange { start: 0.1, end: 0.7 } };
        for hash_version in [HashVersion::V1, HashVersion::V2] {
            for (coverage, weights) in [
                (1.0, &[0.5, 0.5][..]),
                (0.3, &[0.1, 0.2, 0.7]),
                (0.0, &[0.5, 0.5]),
                (0.9999, &[0.3333, 0.3333, 0.3334]),
            ] {
                for namespace in [None, Some(namespace.clone())] {
                    let assignment = Assignment { namespace, ..assignment(coverage, weights, hash_version) };
                    let buckets = AssignmentBuckets::of(&assignment);
                    for number in 0..2_000 {
                        let visitor = format!("019aa251-4760-7101-8101-{number:012}");
                        assert_eq!(
                            computed(&buckets, &visitor),
                            assignment.variant(&visitor),
                            "{assignment:?} {visitor}"
                        );
                    }
                }
            }
        }
    }

    /// 0.1 + 0.2 is more than 0.3 in floating point, so that the bucket 3,000 is in the second variant.
    #[test]
    fn each_bucket_of_a_whole_experiment_is_in_one_variant() {
        let buckets = AssignmentBuckets::of(&assignment(1.0, &[0.1, 0.2, 0.7], HashVersion::V2));
        assert_eq!(buckets.variants, [0..1_000, 1_000..3_001, 3_001..10_000]);
        let few = AssignmentBuckets::of(&assignment(0.5, &[0.5, 0.5], HashVersion::V1));
        assert_eq!((few.count, few.variants), (1_000, vec![0..250, 500..750]));
    }

    #[test]
    fn a_variant_without_visitors_has_no_bucket() {
        let buckets = AssignmentBuckets::of(&assignment(0.0, &[0.5, 0.5], HashVersion::V2));
        assert!(buckets.variants.iter().all(Range::is_empty), "{buckets:?}");
    }

    #[test]
    #[expect(clippy::float_cmp, reason = "both are one division of the same integers")]
    fn a_bucket_is_the_hash_of_its_ids() {
        let bucket = fnv1a([&fnv1a(["seed", "a"]).to_string()]) % MANY;
        assert_eq!(fraction(bucket, MANY), hash("seed", "a", HashVersion::V2));
    }
}
