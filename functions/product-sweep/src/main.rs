//! On a schedule: goes on with the deletion of withdrawn products whose execution was stopped or has failed.

use app::{
    machines::{Machines, ProductDelete},
    sweep::{self, Swept},
    table::Table,
};
use domain::{Error, deletion::DeletionRun};
use serde::de::IgnoredAny;

app::clients! { table: Table, machines: Machines<ProductDelete> }

fn main() -> runtime::Exit {
    runtime::step(sweep)
}

/// Starts the next run of each deletion that nobody works on.
pub(crate) async fn sweep(app: &App, _schedule: IgnoredAny) -> Result<Swept, Error> {
    let page = async |position: &_| app.table.withdrawn_products(app.now(), position).await;
    let begin = async |run: &_| app.table.begin_deletion_run(run).await;
    let attempt = async |last: DeletionRun| sweep::begin_next_run(&app.machines, last, begin).await;
    sweep::sweep(|| app.now(), page, attempt).await
}
