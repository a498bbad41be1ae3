//! `GET /api/features/{clientKey}`: the running experiments of a seller, for clients of GrowthBook.

use app::table::Table;
use http::header;
use web::{Problem, Request, Response, feature_document::FeatureDocument, respond};

/// How long an answer may be stored: clients show a started experiment after that time.
const FRESH_SECONDS: u64 = 60;

app::clients! { table: Table }

fn main() -> runtime::Exit {
    runtime::serve(list_features)
}

/// The features of a seller. Pages of other origins may read them, as such clients do.
pub(crate) async fn list_features(app: &App, request: Request) -> Result<Response, Problem> {
    let (owner, secret) = request.path_client_key()?;
    let (key, experiments) = app.table.published_experiments(owner, secret).await?;
    let response = respond::ok(&FeatureDocument::new(&key, &experiments))?.stored_for(FRESH_SECONDS);
    response.with(header::ACCESS_CONTROL_ALLOW_ORIGIN, "*").unless_known_to(&request)
}
