//! Requests whose work a state machine does, while the client waits or does not.

use crate::{
    Problem, Request, Response,
    respond::{IDEMPOTENCY_REPLAYED, PREFERENCE_APPLIED},
};
use http::{HeaderName, StatusCode, header};

/// What was asked for under an idempotency key, and how it stands.
#[derive(Debug)]
pub struct Asked<T> {
    /// How it stands.
    pub now: T,
    /// Whether an earlier request asked for it.
    pub replayed: bool,
}

impl<T> Asked<T> {
    /// The answer with the header fields that such an answer has: where the work is to be seen, whether an earlier request asked
    /// for it, and whether it was waited for.
    pub fn answer(
        &self,
        request: &Request,
        location: &str,
        answer: Result<Response, Problem>,
    ) -> Result<Response, Problem> {
        let mut headers: Vec<(HeaderName, String)> = vec![(header::LOCATION, location.to_owned())];
        if self.replayed {
            headers.push((IDEMPOTENCY_REPLAYED, "true".to_owned()));
        }
        let ended = !matches!(&answer, Ok(response) if response.status == StatusCode::ACCEPTED);
        if let Some(seconds) = request.wait_seconds().filter(|_| ended) {
            headers.push((PREFERENCE_APPLIED, format!("wait={seconds}")));
        }
        let headers = headers.into_iter();
        match answer {
            Ok(response) => Ok(headers.fold(response, |response, (name, value)| response.with(name, value))),
            Err(problem) => {
                Err(headers.fold(problem, |problem, (name, value)| problem.with_header(name, value)))
            }
        }
    }
}
