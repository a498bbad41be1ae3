//! Queue of changes of watched items: tells the users whose alerts a change crosses, calls their webhooks, and has their
//! mails sent when they are due.

use app::{alerts::AlertTask, fan_out::FanOut, notifier::Notifier, webhooks::Webhooks};
use domain::Error;

app::clients! { fan_out: FanOut, webhooks: Webhooks, notifier: Notifier }

fn main() -> runtime::Exit {
    runtime::drain(work_off)
}

/// Processes a message. If it is delivered twice, each user is still notified once.
pub(crate) async fn work_off(app: &App, task: AlertTask) -> Result<(), Error> {
    match task {
        AlertTask::Change { change, position } => app.fan_out.run(&change, position, app.now()).await,
        AlertTask::Call { user_id, id, at } => app.webhooks.call(user_id, id, at).await,
        AlertTask::Mail { user_id, at } => app.notifier.mail_at(user_id, at, app.now()).await,
    }
}
