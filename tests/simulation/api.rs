//! Clients of the API.

use crate::{
    lambda::{Event, Output},
    simulation::Simulation,
};
use http::{HeaderMap, HeaderValue, Method};
use serde_json::Value;
use tests::samples::caller;
use web::{Request, token::Verified};

/// How often a client repeats a request that was not answered.
const TRIES: usize = 4;

/// A request of a user to the function that answers it.
pub struct Call {
    /// The function.
    pub function: &'static str,
    /// Who sends it.
    pub by: By,
    /// The parameters in the path.
    pub path: Vec<(&'static str, String)>,
    /// The body.
    pub body: Value,
    /// Whether it waits for the result.
    pub waits: bool,
}

/// Who sends a request.
pub enum By {
    /// The user with this number.
    User(u32),
    /// A provider, with this signature.
    Provider(String),
}

/// What a client was answered.
pub struct Told {
    /// The status.
    pub status: u16,
    /// The body; null if it is empty.
    pub body: Value,
}

impl Call {
    /// A request without parameters and body.
    pub fn to(function: &'static str, user: u32) -> Self {
        Self { function, by: By::User(user), path: Vec::new(), body: Value::Null, waits: false }
    }

    /// A request of a provider, which signs it.
    pub fn signed(function: &'static str, signature: String) -> Self {
        Self { function, by: By::Provider(signature), path: Vec::new(), body: Value::Null, waits: false }
    }

    fn request(&self, simulation: &Simulation) -> Request {
        let mut headers = HeaderMap::new();
        // The function is the key: no client sends two different requests to one function and expects both to count.
        for (name, value) in
            [("content-type", "application/json"), ("idempotency-key", self.function), ("if-match", "*")]
        {
            headers.insert(name, HeaderValue::from_static(value));
        }
        if self.waits {
            headers.insert("prefer", HeaderValue::from_static("wait=10"));
        }
        let verified = match &self.by {
            By::User(user) => Some(Verified { caller: caller(*user), visitor: None, expires_at: u64::MAX }),
            By::Provider(signature) => {
                headers.insert("stripe-signature", signature.parse().expect("a header"));
                None
            }
        };
        Request {
            method: Method::POST,
            path: String::new(),
            path_parameters: self
                .path
                .iter()
                .map(|(name, value)| ((*name).to_owned(), value.clone()))
                .collect(),
            query: String::new(),
            headers,
            body: self.body.to_string().into_bytes(),
            source: "192.0.2.1".to_owned(),
            id: "request".to_owned(),
            received_at: simulation.local_time(),
            verified,
        }
    }
}

/// Sends a request, and repeats it with the same idempotency key until it is answered.
pub async fn call(simulation: &Simulation, call: &Call) -> Option<Told> {
    for _ in 0..TRIES {
        if let Some(told) = answered(simulation, call).await {
            return Some(told);
        }
    }
    None
}

/// Sends a request once. A server error is no answer.
pub async fn answered(simulation: &Simulation, call: &Call) -> Option<Told> {
    let event = Event::Http(Box::new(call.request(simulation)));
    match simulation.invoke(call.function, event).await {
        Some(Ok(Output::Http(response))) if !response.status.is_server_error() => {
            let body = serde_json::from_str(response.body.as_text()).unwrap_or_default();
            Some(Told { status: response.status.as_u16(), body })
        }
        _ => None,
    }
}

/// As [`call`], where every status that is not a success is one of these.
pub async fn call_or(simulation: &Simulation, request: &Call, refusals: &[u16]) -> Option<Told> {
    let told = call(simulation, request).await?;
    if !(200..300).contains(&told.status) && !refusals.contains(&told.status) {
        simulation.find(format!("{} answers {}: {}", request.function, told.status, told.body));
    }
    Some(told)
}
