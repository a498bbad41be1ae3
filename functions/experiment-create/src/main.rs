//! `POST /experiments`: drafts a price experiment.

use app::{
    limits::{ExperimentChanges, Limits},
    table::Table,
};
use domain::{
    experiment::Experiment, experiment_draft::ExperimentDraft, id::ProductId, idempotency::Creation,
};
use http::header;
use web::{Problem, Request, Response, respond};

app::clients! { table: Table, limits: Limits<ExperimentChanges> }

fn main() -> runtime::Exit {
    runtime::serve(create_experiment)
}

/// Drafts an experiment.
pub(crate) async fn create_experiment(app: &App, request: Request) -> Result<Response, Problem> {
    let caller = request.caller()?;
    let (draft, idempotency) = Problem::both(request.json::<ExperimentDraft>(), request.idempotency())?;
    app.limits.admit([&caller.user_id.to_string()], request.received_at).await?;
    let experiment = Experiment::new(app.new_id()?, &caller, draft, request.received_at);
    let products: Vec<ProductId> = experiment.draft.products().into_iter().collect();
    experiment.check_products(&app.table.products(&products).await?, None)?;
    let location = format!("/experiments/{}", experiment.experiment_id);
    let response = respond::created(&experiment)?.etag(experiment.version).with(header::LOCATION, location);
    let answer = response.to_answer();
    let idempotency = idempotency.as_ref().map(|idempotency| (idempotency, &answer));
    match app.table.create_experiment(&experiment, idempotency).await? {
        Creation::New => Ok(response),
        Creation::Replayed(answer) => respond::replayed(answer),
    }
}
