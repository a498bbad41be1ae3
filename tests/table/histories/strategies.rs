//! Generators of histories.

use super::{Ask, Fate, History, Luck, Numbers, Step};
use proptest::{collection::vec, prelude::*, sample::select};

pub(super) fn histories() -> impl Strategy<Value = History> {
    let numbers = (1..38_u32, 1..9_u128, select(vec![1, 2, 700]));
    let numbers = numbers.prop_map(|(digits, below, step)| Numbers { digits, below, step });
    let world = (2..=4_usize, 3..=6_usize, 1..=2_usize, numbers);
    (world, vec(steps(), 1..34)).prop_map(|((products, users, shards, numbers), steps)| {
        let steps = steps.into_iter().map(|step| step.among(products, users, shards)).collect();
        History { products, users, shards, numbers, steps }
    })
}

fn steps() -> impl Strategy<Value = Step> {
    let ask =
        prop_oneof![6 => (1..=5_i64).prop_map(Ask::Rate), 1 => Just(Ask::Reword), 2 => Just(Ask::Delete)];
    let request = (0..6_usize, 0..4_usize, ask, luck(false), prop::bool::weighted(0.15))
        .prop_map(|(user, product, ask, luck, held)| Step::Request { user, product, ask, luck, held });
    let withdraw = (0..4_usize, luck(false)).prop_map(|(product, luck)| Step::Withdraw { product, luck });
    let deliver = (0..2_usize, 1..9_usize, luck(true), fate())
        .prop_map(|(shard, size, luck, fate)| Step::Deliver { shard, size, luck, fate });
    let repeat = (0..2_usize, 1..9_usize, 1..9_usize, luck(true), fate())
        .prop_map(|(shard, back, size, luck, fate)| Step::Repeat { shard, back, size, luck, fate });
    prop_oneof![
        14 => request,
        1 => Just(Step::Release),
        1 => withdraw,
        8 => deliver,
        1 => repeat,
        2 => (1..6_u32).prop_map(|turns| Step::Wake { turns }),
        1 => Just(Step::NewStream),
    ]
}

/// The outcomes of the first attempts, in order; all later attempts succeed.
fn luck(may_hang: bool) -> impl Strategy<Value = Vec<Luck>> {
    let one = prop_oneof![
        2 => Just(Luck::Good),
        2 => Just(Luck::Refused),
        2 => Just(Luck::Lost),
        u32::from(may_hang) => Just(Luck::Hung),
    ];
    let runs = vec((one, 1..5_usize), 0..4);
    let bad = runs.prop_map(|runs| runs.into_iter().flat_map(|(luck, times)| vec![luck; times]).collect());
    prop_oneof![Just(Vec::new()), bad]
}

fn fate() -> impl Strategy<Value = Fate> {
    prop_oneof![
        4 => Just(Fate::Answers),
        1 => Just(Fate::Unheard),
        1 => (1..6_u32).prop_map(Fate::Dies),
        2 => (1..6_u32).prop_map(Fate::Stalls),
    ]
}

impl Step {
    /// Maps the step's numbers to existing products, users and shards.
    fn among(mut self, products: usize, users: usize, shards: usize) -> Self {
        match &mut self {
            Self::Request { user, product, .. } => (*user, *product) = (*user % users, *product % products),
            Self::Withdraw { product, .. } => *product %= products,
            Self::Deliver { shard, .. } | Self::Repeat { shard, .. } => *shard %= shards,
            Self::Release | Self::Wake { .. } | Self::NewStream => {}
        }
        self
    }
}
