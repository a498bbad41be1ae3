//! Invoked by hand: reads a part of the table's stream again and gives it to event-ingest.

use app::event_replay::{EventReplay, Replayed};
use domain::{Error, replay::ReplayInput};

/// How long a run takes at most, in seconds: what is left is in its output. The function may run for 900 s.
const RUN_SECONDS: u64 = 780;

app::clients! { replay: EventReplay }

fn main() -> runtime::Exit {
    runtime::step(replay)
}

async fn replay(app: &App, input: ReplayInput) -> Result<Replayed, Error> {
    app.replay.run(input, app.now().plus_seconds(RUN_SECONDS)).await
}
