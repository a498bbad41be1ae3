//! `GET /experiments/{experimentId}/results`: what an experiment of the caller's has shown so far.

use app::{experiment_results::ExperimentResults, table::Table};
use domain::id::ExperimentId;
use http::header::ETAG;
use web::{Problem, Request, Response, etag, respond};

app::clients! { table: Table, results: ExperimentResults }

fn main() -> runtime::Exit {
    runtime::serve(get_results)
}

async fn get_results(app: &App, request: Request) -> Result<Response, Problem> {
    let caller = request.caller()?;
    let id: ExperimentId = request.path("experimentId")?;
    let experiment = app.table.experiment(id).await?;
    experiment.owned_by(&caller)?;
    let response = respond::ok(&app.results.of(&experiment).await?)?;
    // Orders change the results without a new version of the experiment.
    let tag = etag::of_content(response.body.as_text().as_bytes());
    response.with(ETAG, tag).unless_known_to(&request)
}
