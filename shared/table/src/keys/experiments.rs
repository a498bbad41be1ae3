//! Keys of price experiments and of the features that sellers publish.

use super::{Key, user_partition};
use domain::{
    Timestamp,
    id::{ExperimentId, UserId},
};

/// Prefix of the sort keys of a seller's experiments in the first index.
pub const EXPERIMENT_PREFIX: &str = "EXPERIMENT#";

/// An experiment.
pub fn experiment(id: ExperimentId) -> Key {
    Key::new(format!("{EXPERIMENT_PREFIX}{id}"), "EXPERIMENT")
}

/// The last count of an experiment.
pub fn experiment_count(id: ExperimentId) -> Key {
    Key::new(format!("{EXPERIMENT_PREFIX}{id}"), "COUNT")
}

/// Who counts an experiment.
pub fn count_lease(id: ExperimentId) -> Key {
    Key::new(format!("{EXPERIMENT_PREFIX}{id}"), "COUNT#LEASE")
}

/// An experiment in the first index, under its seller.
pub fn sellers_experiment(owner: UserId, id: ExperimentId) -> Key {
    Key::new(user_partition(owner), format!("{EXPERIMENT_PREFIX}{id}"))
}

/// The partition, in the second index, of the experiments that have to be looked at by themselves.
pub const SCHEDULED: &str = "EXPERIMENTS";

/// The partition, in the second index, of the experiments that were stopped.
pub const STOPPED: &str = "EXPERIMENTS#STOPPED";

/// An experiment in a partition of the second index, at the time at which it has to be looked at, or at which it was stopped.
pub fn at_time(partition: &str, time: Timestamp, id: ExperimentId) -> Key {
    Key::new(partition, format!("{time}#{id}"))
}

/// The partition of what a seller publishes for clients of experiments.
pub fn feature_partition(owner: UserId) -> String {
    format!("FEATURES#{owner}")
}

/// The sort key of a seller's client key. It sorts before the running experiments.
pub const CLIENT_KEY: &str = "KEY";

/// A seller's client key.
pub fn client_key(owner: UserId) -> Key {
    Key::new(feature_partition(owner), CLIENT_KEY)
}

/// Prefix of the sort keys of a seller's running experiments.
const RUNNING_PREFIX: &str = "RUNNING#";

/// The entry of a running experiment among those of its seller.
pub fn running(owner: UserId, id: ExperimentId) -> Key {
    Key::new(feature_partition(owner), format!("{RUNNING_PREFIX}{id}"))
}

/// The experiment id in the sort key of a running experiment.
pub fn parse_running(sk: &str) -> Option<ExperimentId> {
    sk.strip_prefix(RUNNING_PREFIX)?.parse().ok()
}
