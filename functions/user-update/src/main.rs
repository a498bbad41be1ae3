//! `PATCH /users/me`: changes the caller's display name, if the version in If-Match is current.

use app::table::Table;
use domain::{
    Error,
    input::MergePatch,
    user::{Caller, User},
    version::Seen,
};
use web::{Problem, Request, Response, respond};

/// How often a change of any version (`If-Match: *`) is made again because another change came before it.
const TRIES: usize = 8;

app::clients! { table: Table }

fn main() -> runtime::Exit {
    runtime::serve(update_user)
}

/// Changes a profile.
pub async fn update_user(app: &App, request: Request) -> Result<Response, Problem> {
    let caller = request.caller()?;
    let (patch, seen) = Problem::both(request.merge_patch::<MergePatch>(), request.if_match())?;
    for _ in 0..TRIES {
        match change(app, &caller, patch.clone(), &seen).await {
            Err(Error::Stale { .. }) if seen == Seen::Any => {}
            changed => {
                let user = changed?;
                return Ok(respond::ok(&user)?.etag(user.version));
            }
        }
    }
    Err(Error::unavailable("other changes of the profile always came first").into())
}

async fn change(app: &App, caller: &Caller, patch: MergePatch, seen: &Seen) -> Result<User, Error> {
    let user = app.table.user(caller.user_id).await?.change(patch, seen)?;
    app.table.rename_user(&user, app.new_writer()?).await?;
    Ok(user)
}
