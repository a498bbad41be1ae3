//! On a schedule: goes on with the deletion of closed accounts whose execution was stopped or has failed.

use app::{
    machines::{Execution, Machines, UserDelete},
    sweep::{self, Attempt, Swept},
    table::Table,
};
use domain::{Error, deletion::AccountRun};
use serde::de::IgnoredAny;

app::clients! { table: Table, machines: Machines<UserDelete> }

fn main() -> runtime::Exit {
    runtime::step(sweep)
}

/// Starts the next run of each deletion that nobody works on.
pub async fn sweep(app: &App, _schedule: IgnoredAny) -> Result<Swept, Error> {
    let page = async |position: &_| app.table.closed_accounts(app.now(), position).await;
    sweep::sweep(|| app.now(), page, async |last| go_on(app, last).await).await
}

/// Starts the next run of a deletion unless the last one is running. If this function dies between the start and the
/// record, the next sweep starts the same run again, which has no effect, and records it.
async fn go_on(app: &App, last: AccountRun) -> Result<Attempt, Error> {
    if app.machines.is_running(&last.name()).await? {
        return Ok(Attempt::Left);
    }
    let next = last.next();
    app.machines.start(Execution { name: &next.name(), input: &next }).await?;
    app.table.begin_account_run(&next).await?;
    Ok(Attempt::Settled)
}
