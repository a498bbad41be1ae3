//! Step of concert-create: deletes what a failed request has created, and records why it failed.

use app::table::Table;
use domain::{Error, concert::ConcertRequest, saga::FailedStep};
use futures::future::{try_join, try_join_all};
use serde::{Deserialize, Serialize};
use table::Discarded;

/// The input of the task, from the state machine.
#[derive(Deserialize)]
pub struct Input {
    request: ConcertRequest,
    /// The step that failed.
    step: String,
    /// The name of its error.
    error: String,
}

/// The output of the task, which a Choice of the state machine reads.
#[derive(Serialize)]
pub struct Output {
    /// Whether the concert was already published: then everything is kept, and the request has succeeded.
    published: bool,
}

app::clients! { table: Table }

fn main() -> runtime::Exit {
    runtime::step(undo)
}

/// The concert is deleted first: then it cannot be published, and nothing refers to the bands and the venue.
pub async fn undo(app: &App, Input { request, step, error }: Input) -> Result<Output, Error> {
    let id = request.concert_id;
    if app.table.discard_concert(id).await? == Discarded::Published {
        return Ok(Output { published: true });
    }
    let bands = request.bands.iter().filter(|band| band.new);
    let bands = try_join_all(bands.map(|band| app.table.discard_band(band.band_id, id)));
    let venue = async {
        if request.venue.new {
            app.table.discard_venue(request.venue.venue_id, id).await?;
        }
        Ok(())
    };
    try_join(bands, venue).await?;
    app.table.reject_request(id, FailedStep::new(step, &error)).await?;
    Ok(Output { published: false })
}
