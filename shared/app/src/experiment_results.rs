//! The results of price experiments: from the last count, which is made again when it is old.

use crate::{
    clickhouse::ClickHouse,
    client::{Client, Needs},
    context::Context,
};
use domain::{
    Error, Timestamp,
    experiment::{Experiment, ExperimentStatus},
    experiment_count::{CountTime, ExperimentCount},
    experiment_draft::{ExperimentDraft, Metric, Metrics},
    id::ExperimentId,
};
use serde::Serialize;
use statistics::{AnalysisSettings, ExperimentTotals, MeasuredMetric, MetricRole, Results, ResultsPlan};
use std::sync::Arc;
use table::{CountLease, StoredCount, Table};

const REST: &str = "RESULTS_REST_SECONDS";

/// How long a count that was begun keeps others from counting: longer than a function takes.
const LEASE_SECONDS: u64 = 40;

/// The results of price experiments.
pub struct ExperimentResults {
    context: Context,
    table: Arc<Table>,
    clickhouse: ClickHouse,
    /// How old a count is at least when it is made again.
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
    /// What they say.
    #[serde(flatten)]
    pub results: Results,
}

impl ExperimentResults {
    /// The results. Reads the last count, and counts if it is old and nobody else counts. If ClickHouse does not answer, the
    /// old count is shown.
    pub async fn of(&self, experiment: &Experiment) -> Result<ResultsDocument, Error> {
        let now = self.context.now();
        let counted = match ExperimentCount::of(experiment, now) {
            None => None,
            Some(count) => Some(self.last_or_new(&count, now).await?),
        };
        let (as_of, totals) = match &counted {
            // Nothing is counted of a draft.
            None => (experiment.updated_at, ExperimentTotals::default()),
            Some(counted) => (counted.as_of, read(&counted.totals)?),
        };
        Ok(ResultsDocument {
            experiment_id: experiment.experiment_id,
            status: experiment.status,
            as_of,
            results: Results::of(&plan(&experiment.draft), &totals),
        })
    }

    /// The guardrails of a running experiment that are shown to have become worse in a variant. None as long as nothing can be
    /// counted.
    pub async fn worse_guardrails(&self, experiment: &Experiment) -> Result<Vec<Metric>, Error> {
        let is_running = experiment.status == ExperimentStatus::Running;
        if !is_running || experiment.draft.metrics.guardrails.is_empty() {
            return Ok(Vec::new());
        }
        match self.of(experiment).await {
            Ok(document) => Ok(document.results.worse_guardrails().into_iter().map(metric).collect()),
            Err(Error::Unavailable { .. }) => Ok(Vec::new()),
            Err(error) => Err(error),
        }
    }

    async fn last_or_new(&self, count: &ExperimentCount, now: Timestamp) -> Result<StoredCount, Error> {
        let last = self.table.experiment_count(count.experiment_id).await?;
        if let Some(last) = &last
            && !last.time.is_over(self.rest_ms, now)
        {
            return Ok(last.clone());
        }
        let writer = self.context.new_writer()?;
        let until = now.plus_seconds(LEASE_SECONDS);
        match (self.table.begin_count(count.experiment_id, writer, now, until).await?, last) {
            (None, Some(last)) => Ok(last),
            // The first count is of few events, and somebody waits for it.
            (None, None) => self.count(count, now).await,
            (Some(lease), last) => self.count_and_store(count, lease, last, now).await,
        }
    }

    async fn count_and_store(
        &self,
        count: &ExperimentCount,
        lease: CountLease,
        last: Option<StoredCount>,
        now: Timestamp,
    ) -> Result<StoredCount, Error> {
        match (self.count(count, now).await, last) {
            (Ok(counted), _) => {
                self.table.end_count(lease, &counted).await?;
                Ok(counted)
            }
            (Err(Error::Unavailable { .. }), Some(last)) => {
                self.table.give_up_count(lease).await?;
                Ok(last)
            }
            (Err(error), _) => {
                self.table.give_up_count(lease).await?;
                Err(error)
            }
        }
    }

    async fn count(&self, count: &ExperimentCount, now: Timestamp) -> Result<StoredCount, Error> {
        let store = self.clickhouse.events().await?;
        // The probe first: what came before it is then counted.
        let as_of = store.newest_probe().await?.unwrap_or(now);
        let totals = store.experiment_totals(count).await?;
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
