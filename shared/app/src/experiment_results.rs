//! The results of price experiments: from the last count, which looks and a schedule make again when it is old.

use crate::{
    clickhouse::ClickHouse,
    client::{Client, Needs},
    context::Context,
};
use analytics::EventStore;
use domain::{
    Error, Timestamp,
    experiment::{Experiment, ExperimentStatus},
    experiment_count::{CountTime, ExperimentCount},
    experiment_draft::{ExperimentDraft, Metric, Metrics},
    id::ExperimentId,
};
use serde::Serialize;
use statistics::{AnalysisSettings, ExperimentTotals, MeasuredMetric, MetricRole, Results, ResultsPlan};
use std::{sync::Arc, time::Duration};
use table::{CountLease, StoredCount, Table};

const REST: &str = "RESULTS_REST_SECONDS";

/// The longest time that a count may take while somebody waits for it: within the time of a request.
const LOOK: Duration = Duration::from_secs(11);
/// The longest time that a count of the schedule may take.
const REFRESH: Duration = Duration::from_mins(10);
/// How much longer than the count the right to count lasts: a function takes no longer for everything else.
const LEASE_MARGIN: Duration = Duration::from_secs(30);

/// The results of price experiments.
pub struct ExperimentResults {
    context: Context,
    table: Arc<Table>,
    clickhouse: ClickHouse,
    /// How old a count is at least when somebody who looks at it makes it again.
    rest_ms: u64,
}

/// The results of an experiment, as its seller reads them.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ResultsDocument {
    /// The experiment.
    pub experiment_id: ExperimentId,
    /// Its state.
    pub status: ExperimentStatus,
    /// Events until then are counted.
    pub as_of: Timestamp,
    /// The sample ratio, the metrics and the series of the counted events.
    #[serde(flatten)]
    pub results: Results,
}

/// The count that is shown.
struct ShownCount {
    count: StoredCount,
    /// Why it is not a new one, although the last one is old.
    failure: Option<Error>,
}

impl From<StoredCount> for ShownCount {
    fn from(count: StoredCount) -> Self {
        Self { count, failure: None }
    }
}

impl ExperimentResults {
    /// The results. Reads the last count, and counts if it is old, was quick, and nobody else counts. If ClickHouse does not
    /// answer, the old count is shown.
    pub async fn of(&self, experiment: &Experiment) -> Result<ResultsDocument, Error> {
        let now = self.context.now();
        let (as_of, totals) = match ExperimentCount::of(experiment, now) {
            // Nothing is counted of a draft.
            None => (experiment.updated_at, ExperimentTotals::default()),
            Some(count) => {
                let StoredCount { as_of, totals, .. } = self.last_or_new(&count, now).await?.count;
                (as_of, read(&totals)?)
            }
        };
        Ok(ResultsDocument {
            experiment_id: experiment.experiment_id,
            status: experiment.status,
            as_of,
            results: Results::of(&plan(&experiment.draft), &totals),
        })
    }

    /// The guardrails of a running experiment that are shown to have become worse in a variant. `Unavailable` if the last
    /// count is old and none can be made, so that nobody waits for `ClickHouse` once for each experiment.
    pub async fn worse_guardrails(&self, experiment: &Experiment) -> Result<Vec<Metric>, Error> {
        let now = self.context.now();
        let is_guarded =
            experiment.status == ExperimentStatus::Running && !experiment.draft.metrics.guardrails.is_empty();
        let Some(count) = ExperimentCount::of(experiment, now).filter(|_| is_guarded) else {
            return Ok(Vec::new());
        };
        let shown = self.last_or_new(&count, now).await?;
        if let Some(error) = shown.failure {
            return Err(error);
        }
        let results = Results::of(&plan(&experiment.draft), &read(&shown.count.totals)?);
        Ok(results.worse_guardrails().into_iter().map(metric).collect())
    }

    /// Makes the old counts of these experiments again, one after the other. Begins none from `end` on, or after ClickHouse has
    /// failed, of which an alarm on the lag of events tells. Returns how many it made.
    pub async fn refresh_until(&self, end: Timestamp, experiments: &[Experiment]) -> Result<usize, Error> {
        let mut made = 0;
        for experiment in experiments {
            if self.context.now() >= end {
                break;
            }
            match self.refresh(experiment).await {
                Ok(is_new) => made += usize::from(is_new),
                Err(Error::Unavailable { .. }) => break,
                Err(error) => return Err(error),
            }
        }
        Ok(made)
    }

    /// Makes the count of an experiment again if it is old. `Unavailable` without ClickHouse. Returns whether it did.
    async fn refresh(&self, experiment: &Experiment) -> Result<bool, Error> {
        let now = self.context.now();
        let Some(count) = ExperimentCount::of(experiment, now) else { return Ok(false) };
        let last = self.table.experiment_count(count.experiment_id).await?;
        if last.is_some_and(|last| !last.time.is_due(self.rest_ms, now)) {
            return Ok(false);
        }
        let store = self.clickhouse.events().await?;
        let Some(lease) = self.begin(&count, now, REFRESH).await? else { return Ok(false) };
        match self.count(&store, &count, now, REFRESH).await {
            Ok(counted) => self.table.end_count(lease, &counted).await.map(|()| true),
            Err(error) => {
                // If it took too long, the right is kept until it ends: other experiments are counted first.
                if self.context.now() < now.plus_seconds(REFRESH.as_secs()) {
                    self.table.give_up_count(lease).await?;
                }
                Err(error)
            }
        }
    }

    async fn last_or_new(&self, count: &ExperimentCount, now: Timestamp) -> Result<ShownCount, Error> {
        let last = self.table.experiment_count(count.experiment_id).await?;
        if let Some(last) = &last
            && !last.time.is_made_by_looks(self.rest_ms, now)
        {
            return Ok(last.clone().into());
        }
        match (self.begin(count, now, LOOK).await?, last) {
            (None, Some(last)) => Ok(last.into()),
            // The first count is of few events, and somebody waits for it.
            (None, None) => self.count_for_look(count, now).await.map(ShownCount::from),
            (Some(lease), last) => self.count_and_store(count, lease, last, now).await,
        }
    }

    /// Takes the right to count for as long as a count may take.
    async fn begin(
        &self,
        count: &ExperimentCount,
        now: Timestamp,
        limit: Duration,
    ) -> Result<Option<CountLease>, Error> {
        let until = now.plus_seconds((limit + LEASE_MARGIN).as_secs());
        self.table.begin_count(count.experiment_id, self.context.new_writer()?, now, until).await
    }

    async fn count_and_store(
        &self,
        count: &ExperimentCount,
        lease: CountLease,
        last: Option<StoredCount>,
        now: Timestamp,
    ) -> Result<ShownCount, Error> {
        match (self.count_for_look(count, now).await, last) {
            (Ok(counted), _) => {
                self.table.end_count(lease, &counted).await?;
                Ok(counted.into())
            }
            (Err(error @ Error::Unavailable { .. }), Some(last)) => {
                self.table.give_up_count(lease).await?;
                Ok(ShownCount { count: last, failure: Some(error) })
            }
            (Err(error), _) => {
                self.table.give_up_count(lease).await?;
                Err(error)
            }
        }
    }

    async fn count_for_look(&self, count: &ExperimentCount, now: Timestamp) -> Result<StoredCount, Error> {
        let store = self.clickhouse.events().await?;
        self.count(&store, count, now, LOOK).await
    }

    async fn count(
        &self,
        store: &EventStore,
        count: &ExperimentCount,
        now: Timestamp,
        limit: Duration,
    ) -> Result<StoredCount, Error> {
        // The probe first: what came before it is then counted.
        let as_of = store.newest_probe().await?.unwrap_or(now);
        let totals = store.experiment_totals(count, limit).await?;
        let ended_at = self.context.now();
        let duration_ms = ended_at.unix_milliseconds().saturating_sub(now.unix_milliseconds());
        Ok(StoredCount { time: CountTime { counted_at: now, duration_ms }, as_of, totals: written(&totals)? })
    }
}

fn written(totals: &ExperimentTotals) -> Result<String, Error> {
    serde_json::to_string(totals)
        .map_err(|error| Error::internal(format!("totals cannot be serialized: {error}")))
}

fn read(totals: &str) -> Result<ExperimentTotals, Error> {
    serde_json::from_str(totals).map_err(|error| Error::internal(format!("stored totals: {error}")))
}

fn plan(draft: &ExperimentDraft) -> ResultsPlan {
    let currency =
        draft.variants.iter().flat_map(|variant| &variant.prices).map(|price| price.price.currency);
    ResultsPlan {
        settings: AnalysisSettings::default(),
        variants: draft
            .variants
            .iter()
            .map(|variant| (variant.key.clone(), variant.weight.get().into()))
            .collect(),
        metrics: measured(&draft.metrics),
        currency: currency.map(|currency| currency.code().to_owned()).next().unwrap_or_default(),
    }
}

/// The metrics in the order of their roles.
fn measured(metrics: &Metrics) -> Vec<(MeasuredMetric, MetricRole)> {
    let in_role = |role: MetricRole| move |metric: &Metric| (measured_as(*metric), role);
    let primary = std::iter::once(&metrics.primary).map(in_role(MetricRole::Primary));
    let secondary = metrics.secondary.iter().map(in_role(MetricRole::Secondary));
    primary.chain(secondary).chain(metrics.guardrails.iter().map(in_role(MetricRole::Guardrail))).collect()
}

fn measured_as(metric: Metric) -> MeasuredMetric {
    match metric {
        Metric::Conversion => MeasuredMetric::Conversion,
        Metric::RevenuePerVisitor => MeasuredMetric::RevenuePerVisitor,
        Metric::AverageOrder => MeasuredMetric::AverageOrder,
    }
}

fn metric(metric: MeasuredMetric) -> Metric {
    match metric {
        MeasuredMetric::Conversion => Metric::Conversion,
        MeasuredMetric::RevenuePerVisitor => Metric::RevenuePerVisitor,
        MeasuredMetric::AverageOrder => Metric::AverageOrder,
    }
}

impl Client for ExperimentResults {
    const NEEDS: Needs = Needs {
        settings: &[
            "CLICKHOUSE_DATABASE",
            "CLICKHOUSE_SECRET_ARN",
            "CLICKHOUSE_URL",
            "CLICKHOUSE_USER",
            REST,
        ],
        operations: &["begin_count", "end_count", "experiment_count", "give_up_count"],
    };

    fn new(context: &Context) -> Result<Self, Error> {
        Ok(Self {
            context: context.clone(),
            table: context.table()?,
            clickhouse: ClickHouse::new(context)?,
            rest_ms: context.settings().number(REST)? * 1000,
        })
    }
}
