//! On a schedule: goes on with the deletion of closed accounts whose execution was stopped or has failed.

use app::{
    machines::{Machines, UserDelete},
    sweep::{self, Swept},
    table::Table,
};
use domain::{Error, deletion::AccountRun};
use serde::de::IgnoredAny;

app::clients! { table: Table, machines: Machines<UserDelete> }

fn main() -> runtime::Exit {
    runtime::step(sweep)
}

/// Starts the next run of each deletion that nobody works on.
pub(crate) async fn sweep(app: &App, _schedule: IgnoredAny) -> Result<Swept, Error> {
    let page = async |position: &_| app.table.closed_accounts(app.now(), position).await;
    let begin = async |run: &_| app.table.begin_account_run(run).await;
    let attempt = async |last: AccountRun| sweep::begin_next_run(&app.machines, last, begin).await;
    sweep::sweep(|| app.now(), page, attempt).await
}
