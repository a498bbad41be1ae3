//! HTTP: from the gateway's event to the gateway's response.

use crate::{
    App, Exit,
    telemetry::{Invocation, Record},
};
use ::http::{HeaderName, HeaderValue};
use base64::{Engine, engine::general_purpose::STANDARD};
use domain::{Error, Timestamp, user::Caller};
use futures::{FutureExt, future::LocalBoxFuture};
use lambda_http::{
    aws_lambda_events::apigw::{ApiGatewayV2httpRequest, ApiGatewayV2httpResponse},
    lambda_runtime::{LambdaEvent, Runtime, service_fn},
};
use serde_json::Value;
use std::{collections::HashMap, convert::Infallible, panic::AssertUnwindSafe};
use web::{Problem, Request, Response, token::Verified};

type Handler = dyn Fn(&'static App, Request) -> LocalBoxFuture<'static, Result<Response, Problem>>;

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Answers HTTP requests until the function is stopped.
pub fn serve<H, F>(handler: H) -> Exit
where
    H: Fn(&'static App, Request) -> F + 'static,
    F: Future<Output = Result<Response, Problem>> + 'static,
{
    serve_boxed(&move |app, request| handler(app, request).boxed_local())
}

fn serve_boxed(handler: &Handler) -> Exit {
    crate::app::run(async |app| {
        let service = service_fn(move |event: LambdaEvent<ApiGatewayV2httpRequest>| {
            answer(app, handler, event.payload)
        });
        Runtime::new(service).run().await
    })
}

/// Answers one request, whatever happens to the handler.
async fn answer(
    app: &'static App,
    handler: &Handler,
    event: ApiGatewayV2httpRequest,
) -> Result<ApiGatewayV2httpResponse, Infallible> {
    let invocation = Invocation::begin(app.now());
    let route = event.request_context.route_key.clone().unwrap_or_default();
    let id = event.request_context.request_id.clone().unwrap_or_default();
    let outcome = match to_request(event, app.now()) {
        Ok(request) => AssertUnwindSafe(handler(app, request))
            .catch_unwind()
            .await
            .unwrap_or_else(|panic| Err(panicked(&*panic))),
        Err(problem) => Err(problem),
    };
    let (error, cause) = match &outcome {
        Ok(_) => (None, None),
        Err(problem) => (Some(problem.kind.describe().1), problem.cause.clone()),
    };
    let mut response = outcome.unwrap_or_else(|problem| problem.into_response(&id));
    response.headers.extend(HeaderValue::from_str(&id).ok().map(|id| (REQUEST_ID, id)));
    invocation.end(&Record {
        request_id: &id,
        route: &route,
        status: response.status.as_u16(),
        response_bytes: response.body.len(),
        units: app.table.take_units(),
        error,
        cause: cause.as_deref(),
    });
    Ok(to_event(response))
}

/// A panic is our own mistake: it ends the request, not the process.
fn panicked(panic: &(dyn std::any::Any + Send)) -> Problem {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    let text = text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("no message");
    Error::internal(format!("panic: {text}")).into()
}

fn to_request(event: ApiGatewayV2httpRequest, now: Timestamp) -> Result<Request, Problem> {
    let context = event.request_context;
    let body = event.body.unwrap_or_default();
    let body = if event.is_base64_encoded {
        STANDARD
            .decode(body)
            .map_err(|error| Error::internal(format!("the gateway's body is no base64: {error}")))?
    } else {
        body.into_bytes()
    };
    Ok(Request {
        method: context.http.method,
        path: event.raw_path.unwrap_or_default(),
        path_parameters: event.path_parameters,
        query: event.raw_query_string.unwrap_or_default(),
        headers: event.headers,
        body,
        source: context.http.source_ip.unwrap_or_default(),
        id: context.request_id.unwrap_or_default(),
        received_at: now,
        verified: context.authorizer.and_then(|authorizer| verified(&authorizer.fields)),
    })
}

/// What the authorizer said of the caller.
fn verified(context: &HashMap<String, Value>) -> Option<Verified> {
    let caller = Caller {
        user_id: context.get("userId")?.as_str()?.parse().ok()?,
        session_id: context.get("sessionId")?.as_str()?.parse().ok()?,
    };
    Some(Verified { caller, expires_at: context.get("expiresAt")?.as_u64()? })
}

fn to_event(response: Response) -> ApiGatewayV2httpResponse {
    let mut event = ApiGatewayV2httpResponse::default();
    event.status_code = response.status.as_u16().into();
    event.headers = response.headers;
    event.body = (!response.body.is_empty()).then(|| response.body.into());
    event
}
