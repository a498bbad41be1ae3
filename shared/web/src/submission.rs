//! Responses to requests that a state machine processes and that may outlive the request.

use crate::{
    problem::Problem,
    request::Request,
    response::{IDEMPOTENCY_REPLAYED, PREFERENCE_APPLIED, Response},
};
use http::{HeaderName, StatusCode, header};

/// Work that was submitted under an idempotency key.
#[derive(Debug)]
pub struct Submission<T> {
    /// The state of the work.
    pub state: T,
    /// Whether an earlier request with the same key submitted it.
    pub replayed: bool,
}

impl<T> Submission<T> {
    /// Adds the header fields: `Location` of the result, `Idempotency-Replayed` if an earlier request submitted the
    /// work, and `Preference-Applied` if the client waited and the work ended.
    pub fn respond(
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
