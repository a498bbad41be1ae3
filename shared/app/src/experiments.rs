//! Carrying out changes of experiments, together with what they change in products.

use crate::{
    cache::Cache,
    client::{Client, Needs},
    context::Context,
    table::Table,
};
use domain::{
    Error, Fault, Timestamp,
    client_key::MOST_RUNNING,
    experiment::{Experiment, ExperimentChange, ExperimentEffect},
    experiment_draft::Metric,
    experiment_products::ExperimentWrites,
    id::{ExperimentId, ProductId},
    product::PageVersion,
};
use std::collections::HashMap;
use table::Overtaken;

/// How often a change is made again because one of its products was changed at the same time.
const TRIES: usize = 8;

const TOO_MANY: Error = Error::Conflict {
    detail: "20 of your experiments are running, which is the most: stop one of them first.",
};

/// The outcome of a change that an experiment was due for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DueOutcome {
    /// It was carried out.
    Changed,
    /// The experiment cannot start, and says why.
    Refused,
    /// Nothing was due any more, or it cannot be done yet: the next invocation of the schedule looks again.
    Waits,
}

/// The table and the cache, for changes of experiments.
pub struct Experiments {
    context: Context,
    table: Table,
    cache: Cache,
}

impl Experiments {
    /// Writes a change, and invalidates the cached pages of its products. Returns the experiment as it is then. `Stale` if the
    /// experiment was changed meanwhile; a change of a product meanwhile is taken into account.
    pub async fn carry_out(&self, change: ExperimentChange, now: Timestamp) -> Result<Experiment, Error> {
        let effect = change.effect;
        if effect == ExperimentEffect::Nothing {
            return Ok(change.experiment);
        }
        if effect == ExperimentEffect::Start
            && self.table.running_experiments(change.experiment.owner_id).await? >= MOST_RUNNING
        {
            return Err(TOO_MANY);
        }
        let writer = self.context.new_writer()?;
        for _ in 0..TRIES {
            let products = if change.needs_products() {
                let products: Vec<ProductId> = change.experiment.draft.products().into_iter().collect();
                self.table.products(&products).await?
            } else {
                HashMap::new()
            };
            let next = change.clone().writes(&products, now)?;
            match self.table.write_experiment(&next, effect, writer).await? {
                Overtaken::ByProduct => {}
                Overtaken::No => {
                    let pages = next.products.iter().map(|product| {
                        // The stock is as it was: no page is too old for it.
                        let version = PageVersion { product: product.version, stock: 0 };
                        self.cache.invalidate(product.product_id, version)
                    });
                    futures::future::join_all(pages).await;
                    return Ok(next.experiment);
                }
            }
        }
        Err(Error::unavailable("other changes of a product always came first"))
    }
}

impl Experiments {
    /// Carries out what the times of an experiment, or guardrails that became worse, ask for. If it cannot start, that is
    /// recorded, so that it is not tried again before the seller changes it.
    pub async fn carry_out_due(
        &self,
        id: ExperimentId,
        worse: &[Metric],
        now: Timestamp,
    ) -> Result<DueOutcome, Error> {
        match self.start_rise_or_stop(id, worse, now).await {
            // The seller changed or deleted it at the same time.
            Err(Error::Stale { .. } | Error::NotFound { .. }) => Ok(DueOutcome::Waits),
            outcome => outcome,
        }
    }

    async fn start_rise_or_stop(
        &self,
        id: ExperimentId,
        worse: &[Metric],
        now: Timestamp,
    ) -> Result<DueOutcome, Error> {
        let experiment = self.table.experiment(id).await?;
        let Some(due) = experiment.due_change(worse, now) else { return Ok(DueOutcome::Waits) };
        let is_start = due.effect == ExperimentEffect::Start;
        let faults = match self.carry_out(due, now).await {
            Ok(_) => return Ok(DueOutcome::Changed),
            Err(Error::Invalid(faults)) if is_start => faults,
            Err(Error::Conflict { detail }) if is_start => vec![Fault::here(detail).under("status")],
            // Its prices were changed too often in the last half hour: the coverage rises later.
            Err(Error::Invalid(_)) => return Ok(DueOutcome::Waits),
            Err(error) => return Err(error),
        };
        self.refuse_start(&experiment, faults, now).await?;
        Ok(DueOutcome::Refused)
    }

    async fn refuse_start(
        &self,
        experiment: &Experiment,
        faults: Vec<Fault>,
        now: Timestamp,
    ) -> Result<(), Error> {
        let refused =
            ExperimentWrites { experiment: experiment.not_started(faults, now), products: Vec::new() };
        self.table
            .write_experiment(&refused, ExperimentEffect::None, self.context.new_writer()?)
            .await
            .map(drop)
    }
}

impl Client for Experiments {
    const NEEDS: Needs = Needs {
        settings: &["TABLE_NAME", "CACHE_URL"],
        operations: &["experiment", "products", "running_experiments", "write_experiment"],
    };

    fn new(context: &Context) -> Result<Self, Error> {
        Ok(Self { context: context.clone(), table: context.table()?, cache: Cache::new(context)? })
    }
}
