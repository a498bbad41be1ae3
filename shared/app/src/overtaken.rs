//! Changes with `If-Match`, which other changes can overtake.

use domain::{Error, version::Seen};

/// The number of times that a change of any version is tried.
const TRIES: usize = 8;

/// Makes a change. One with `If-Match: *` is made again if another change comes between its read and its write, which is `Stale`:
/// `*` names any current version (RFC 9110, section 13.1.1). `what` is changed; it is in the cause of `Unavailable`, the error if
/// other changes came first each time.
pub async fn retry_overtaken<T, F>(seen: &Seen, what: &str, change: impl Fn() -> F) -> Result<T, Error>
where
    F: Future<Output = Result<T, Error>>,
{
    for _ in 0..TRIES {
        match change().await {
            Err(Error::Stale { .. }) if *seen == Seen::Any => {}
            changed => return changed,
        }
    }
    Err(Error::unavailable(format!("other changes of {what} always came first")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures::FutureExt;
    use std::{cell::Cell, future::ready};

    /// The result of a change that is overtaken this many times, and the number of tries.
    fn overtaken(times: usize, seen: &Seen) -> (Result<(), Error>, usize) {
        let tries = Cell::new(0);
        let changed = retry_overtaken(seen, "the tea", || {
            tries.update(|tries| tries + 1);
            ready(if tries.get() <= times { Err(Error::Stale { current: 7 }) } else { Ok(()) })
        });
        (changed.now_or_never().unwrap(), tries.get())
    }

    #[test]
    fn a_change_of_any_version_is_made_again() {
        assert_eq!(overtaken(0, &Seen::Any), (Ok(()), 1));
        assert_eq!(overtaken(TRIES - 1, &Seen::Any), (Ok(()), TRIES));
        let (changed, tries) = overtaken(TRIES, &Seen::Any);
        let cause = "other changes of the tea always came first";
        assert_eq!((changed, tries), (Err(Error::unavailable(cause)), TRIES));
    }

    #[test]
    fn a_change_of_a_named_version_is_made_once() {
        let seen = Seen::Versions(vec![6]);
        assert_eq!(overtaken(1, &seen), (Err(Error::Stale { current: 7 }), 1));
    }

    #[test]
    fn other_errors_are_final() {
        let changed = retry_overtaken(&Seen::Any, "the tea", || ready(Err::<(), _>(Error::KeyReused)));
        assert_eq!(changed.now_or_never(), Some(Err(Error::KeyReused)));
    }
}
