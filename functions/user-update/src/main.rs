//! `PATCH /users/me`: changes the caller's display name, if the version in If-Match is current.

use app::{overtaken::retry_overtaken, table::Table};
use domain::{
    Error,
    input::MergePatch,
    user::{Caller, User},
    version::Seen,
};
use web::{Problem, Request, Response, respond};

app::clients! { table: Table }

fn main() -> runtime::Exit {
    runtime::serve(update_user)
}

/// Changes a profile.
pub(crate) async fn update_user(app: &App, request: Request) -> Result<Response, Problem> {
    let caller = request.caller()?;
    let (patch, seen) = Problem::both(request.merge_patch::<MergePatch>(), request.if_match())?;
    let change = || change(app, &caller, patch.clone(), &seen);
    let user = retry_overtaken(&seen, "the profile", change).await?;
    Ok(respond::ok(&user)?.etag(user.version))
}

async fn change(app: &App, caller: &Caller, patch: MergePatch, seen: &Seen) -> Result<User, Error> {
    let user = app.table.user(caller.user_id).await?.change(patch, seen)?;
    app.table.rename_user(&user, app.new_writer()?).await?;
    Ok(user)
}
