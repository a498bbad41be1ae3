//! `GET /experiments/{experimentId}`: an experiment of the caller's.

use app::table::Table;
use domain::id::ExperimentId;
use web::{Problem, Request, Response, respond};

app::clients! { table: Table }

fn main() -> runtime::Exit {
    runtime::serve(get_experiment)
}

async fn get_experiment(app: &App, request: Request) -> Result<Response, Problem> {
    let caller = request.caller()?;
    let id: ExperimentId = request.path("experimentId")?;
    let experiment = app.table.experiment(id).await?;
    experiment.owned_by(&caller)?;
    respond::ok(&experiment)?.etag(experiment.version).unless_known_to(&request)
}
