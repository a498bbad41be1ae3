//! Whose an experiment is.

use crate::{
    engine::{item::text, table::Table},
    keys,
};
use domain::{
    Error,
    id::{ExperimentId, UserId},
};

const OWNER: &str = "ownerId";
const NO_EXPERIMENT: Error = Error::NotFound { what: "experiment" };

impl Table {
    /// The seller whose experiment this is.
    pub async fn experiment_owner(&self, id: ExperimentId) -> Result<UserId, Error> {
        let stored = self.get_item(keys::experiments::experiment(id), true).await?.ok_or(NO_EXPERIMENT)?;
        let owner = text(&stored, OWNER).and_then(|owner| owner.parse().ok());
        owner.ok_or_else(|| Error::internal(format!("the experiment {id} has no owner")))
    }
}
