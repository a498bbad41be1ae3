//! Price experiments: drafts, changes with the overlays of their products, lists.

use crate::{
    engine::{
        item::{Item, n, number, s},
        request::Written,
        table::Table,
        transaction::Transacted,
    },
    experiment_item::{from_experiment_item, to_experiment_item},
    keys::{self, GSI1, GSI1_PK, GSI1_SK, GSI2, GSI2_PK, GSI2_SK},
    product::IS_PREVIOUS,
    product_item::{HIDDEN, VERSION, to_product_item},
    writer::Writer,
};
use domain::{
    Error, Timestamp,
    experiment::{Experiment, ExperimentEffect},
    experiment_products::ExperimentWrites,
    id::{ExperimentId, UserId},
    idempotency::{Creation, Idempotency, StoredResponse},
    page::{Page, PageSize},
};

const NO_EXPERIMENT: Error = Error::NotFound { what: "experiment" };

/// The condition that the stored version is the one before the written version.
const IS_PREVIOUS_EXPERIMENT: &str = "#version = :before";

/// How many experiments of a list in the second index one request reads.
const DUE_PAGE: i32 = 25;

/// How far a list in the second index was read: the key of the last experiment.
pub type ScheduledPosition = Item;

/// Whether a change of an experiment was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Overtaken {
    /// It was.
    No,
    /// A product was changed since it was read, and nothing was written.
    ByProduct,
}

impl Table {
    /// Stores a draft. With an idempotency key, a repeated request changes nothing and returns the stored response of the
    /// first.
    pub async fn create_experiment(
        &self,
        experiment: &Experiment,
        idempotency: Option<(&Idempotency, &StoredResponse)>,
    ) -> Result<Creation, Error> {
        let items = vec![to_experiment_item(experiment)?];
        let owner = experiment.owner_id;
        self.put_new(items, owner, "experiment-create", idempotency, experiment.created_at).await
    }

    /// An experiment, strongly consistent.
    pub async fn experiment(&self, id: ExperimentId) -> Result<Experiment, Error> {
        let item = self.get_item(keys::experiments::experiment(id), true).await?.ok_or(NO_EXPERIMENT)?;
        from_experiment_item(&item)
    }

    /// The experiments of a seller, newest first. One that was just made may be missing.
    pub async fn experiments_of(
        &self,
        owner: UserId,
        size: PageSize,
        after: Option<ExperimentId>,
    ) -> Result<Page<Experiment, ExperimentId>, Error> {
        // BETWEEN includes both bounds, so the upper bound is the id before `after`, or the character after all digits.
        let end = after.map_or_else(
            || format!("{}~", keys::experiments::EXPERIMENT_PREFIX),
            |after| keys::experiments::sellers_experiment(owner, after.before()).sk,
        );
        let query = self
            .client()
            .query()
            .index_name(GSI1)
            .key_condition_expression("#pk = :pk AND #sk BETWEEN :prefix AND :end")
            .expression_attribute_names("#pk", GSI1_PK)
            .expression_attribute_names("#sk", GSI1_SK)
            .expression_attribute_values(":pk", s(keys::user_partition(owner)))
            .expression_attribute_values(":prefix", s(keys::experiments::EXPERIMENT_PREFIX))
            .expression_attribute_values(":end", s(end));
        let (items, more) = self.newest(query, size).await?;
        let items = items.iter().map(from_experiment_item).collect::<Result<Vec<_>, _>>()?;
        let next = if more { items.last().map(|last| last.experiment_id) } else { None };
        Ok(Page { items, next })
    }

    /// Replaces an experiment with its next version, if the stored version is the previous one; else `Stale`. In the same
    /// transaction each of its products gets its next version, on the condition that it still has the version that was
    /// read, and a start or a stop changes the list of the seller's running experiments.
    pub async fn write_experiment(
        &self,
        change: &ExperimentWrites,
        effect: ExperimentEffect,
        writer: Writer,
    ) -> Result<Overtaken, Error> {
        let ExperimentWrites { experiment, products } = change;
        let mut item = to_experiment_item(experiment)?;
        writer.sign(&mut item);
        let before = n(experiment.version - 1);
        let running = keys::experiments::running(experiment.owner_id, experiment.experiment_id);
        let listed = match effect {
            ExperimentEffect::Start => Some(self.put_always(running.primary())?),
            ExperimentEffect::Stop => Some(self.delete_always(running)?),
            ExperimentEffect::Rise => None,
            ExperimentEffect::Nothing | ExperimentEffect::Check | ExperimentEffect::None => {
                let put = self
                    .client()
                    .put_item()
                    .set_item(Some(item))
                    .condition_expression(IS_PREVIOUS_EXPERIMENT)
                    .expression_attribute_names("#version", VERSION)
                    .expression_attribute_values(":before", before);
                let Written::Refused(stored) = self.put(put).await? else { return Ok(Overtaken::No) };
                return unless_stale(stored.as_ref(), writer);
            }
        };
        let mut transaction =
            vec![self.put_if(item, IS_PREVIOUS_EXPERIMENT, &[VERSION], vec![("before", before)])?];
        transaction.extend(listed);
        for product in products {
            let mut item = to_product_item(product)?;
            writer.sign(&mut item);
            let before = vec![("before", n(product.version - 1))];
            transaction.push(self.put_if(item, IS_PREVIOUS, &[VERSION, HIDDEN], before)?);
        }
        match self.transact(transaction).await? {
            Transacted::Done => Ok(Overtaken::No),
            Transacted::Refused(0, stored) => unless_stale(stored.as_ref(), writer),
            Transacted::Refused(..) => Ok(Overtaken::ByProduct),
        }
    }

    /// The next experiments that have to be looked at by themselves until now, the earliest first, and the position after
    /// them if there may be more.
    pub async fn due_experiments(
        &self,
        now: Timestamp,
        after: Option<ScheduledPosition>,
    ) -> Result<(Vec<Experiment>, Option<ScheduledPosition>), Error> {
        let always = Timestamp::from_unix_milliseconds(0);
        self.experiments_between(keys::experiments::SCHEDULED, always, now, after).await
    }

    /// The next experiments that were stopped since a time, the earliest first, and the position after them if there may be
    /// more.
    pub async fn experiments_stopped_since(
        &self,
        since: Timestamp,
        now: Timestamp,
        after: Option<ScheduledPosition>,
    ) -> Result<(Vec<Experiment>, Option<ScheduledPosition>), Error> {
        self.experiments_between(keys::experiments::STOPPED, since, now, after).await
    }

    async fn experiments_between(
        &self,
        list: &str,
        from: Timestamp,
        to: Timestamp,
        after: Option<ScheduledPosition>,
    ) -> Result<(Vec<Experiment>, Option<ScheduledPosition>), Error> {
        let query = self
            .client()
            .query()
            .index_name(GSI2)
            .key_condition_expression("#pk = :pk AND #sk BETWEEN :from AND :to")
            .expression_attribute_names("#pk", GSI2_PK)
            .expression_attribute_names("#sk", GSI2_SK)
            .expression_attribute_values(":pk", s(list))
            .expression_attribute_values(":from", s(from.to_string()))
            // `~` is after all digits: an experiment at this very millisecond is included.
            .expression_attribute_values(":to", s(format!("{to}~")))
            .set_exclusive_start_key(after)
            .limit(DUE_PAGE);
        let sent = self.query(query).await?;
        let next = sent.last_evaluated_key;
        let items = sent.items.unwrap_or_default();
        let experiments = items.iter().map(from_experiment_item).collect::<Result<_, _>>()?;
        Ok((experiments, next))
    }

    /// Deletes a page of a closed account's experiments with their counts. Returns whether there may be more. Also deletes
    /// what the seller published for clients of experiments.
    pub async fn delete_experiments(&self, owner: UserId) -> Result<bool, Error> {
        let page = self.experiments_of(owner, PageSize::DEFAULT, None).await?;
        let ids = page.items.iter().map(|found| found.experiment_id);
        let counts = ids
            .clone()
            .flat_map(|id| [keys::experiments::experiment_count(id), keys::experiments::count_lease(id)]);
        // Before the experiments: by them, a repetition finds what was left.
        self.batch_delete(counts.collect()).await?;
        let found = ids.map(keys::experiments::experiment);
        let published = self.features_of(owner).await?;
        self.batch_delete(found.chain(published).collect()).await?;
        Ok(page.next.is_some())
    }
}

/// Interprets the failed condition: success if this writer wrote the stored experiment, else `Stale` or not found.
fn unless_stale(stored: Option<&Item>, writer: Writer) -> Result<Overtaken, Error> {
    match stored {
        Some(stored) if writer.wrote(stored) => Ok(Overtaken::No),
        Some(stored) => {
            let current =
                number(stored, VERSION).ok_or_else(|| Error::internal("an experiment without a version"))?;
            Err(Error::Stale { current })
        }
        None => Err(NO_EXPERIMENT),
    }
}
