//! HTTP: from the gateway's event to the gateway's response.

use crate::{
    Exit,
    application::{self, Application, Host},
    telemetry::{Invocation, LogRecord},
};
use ::http::{HeaderMap, HeaderName, HeaderValue, header};
use base64::{Engine, engine::general_purpose::STANDARD};
use domain::{
    Error, Timestamp,
    security::{SecurityEvent, Subject},
    user::Caller,
};
use futures::{FutureExt, future::LocalBoxFuture};
use lambda_http::{
    aws_lambda_events::apigw::{ApiGatewayV2httpRequest, ApiGatewayV2httpResponse},
    lambda_runtime::{LambdaEvent, Runtime, service_fn},
};
use serde_json::Value;
use std::{collections::HashMap, convert::Infallible, panic::AssertUnwindSafe};
use web::{Problem, Request, Response, problem::Kind, response::Body, token::Verified};

type Handler = dyn Fn(Request) -> LocalBoxFuture<'static, Result<Response, Problem>>;

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Answers HTTP requests until the function is stopped.
pub fn serve<A, H, F>(handler: H) -> Exit
where
    A: Application,
    H: Fn(&'static A, Request) -> F + 'static,
    F: Future<Output = Result<Response, Problem>> + 'static,
{
    let app: &'static A = application::start()?;
    serve_boxed(app, &move |request| handler(app, request).boxed_local())
}

fn serve_boxed(host: &'static dyn Host, handler: &Handler) -> Exit {
    application::run(host, async {
        let service = service_fn(move |event: LambdaEvent<ApiGatewayV2httpRequest>| {
            answer(host, handler, event.payload)
        });
        Runtime::new(service).run().await
    })
}

/// Answers one request, even when the handler panics.
async fn answer(
    host: &dyn Host,
    handler: &Handler,
    event: ApiGatewayV2httpRequest,
) -> Result<ApiGatewayV2httpResponse, Infallible> {
    let invocation = Invocation::begin(host.now());
    let route = event.request_context.route_key.clone().unwrap_or_default();
    let id = event.request_context.request_id.clone().unwrap_or_default();
    let method = event.request_context.http.method.clone();
    let is_public = event.request_context.authorizer.is_none();
    let authorizer = event.request_context.authorizer.as_ref();
    let caller = authorizer.and_then(|authorizer| verified(&authorizer.fields));
    let caller = caller.map_or(Subject::NOBODY, |Verified { caller, .. }| caller.into());
    let outcome = match to_request(event, host.now()) {
        Ok(request) => AssertUnwindSafe(handler(request))
            .catch_unwind()
            .await
            .unwrap_or_else(|panic| Err(panicked(&*panic))),
        Err(problem) => Err(problem),
    };
    let (error, cause) = match &outcome {
        Ok(_) => (None, None),
        Err(problem) => (Some(problem.kind.describe().1), problem.cause.clone()),
    };
    let limited = matches!(&outcome, Err(Problem { kind: Kind::TooManyRequests, .. }));
    let limited = limited.then_some((SecurityEvent::LimitExceeded, caller));
    let (security_event, subject) = host.take_noted().or(limited).unzip();
    let response = outcome.unwrap_or_else(|problem| problem.into_response(&id));
    let mut response = response.completed(&method, is_public);
    response.headers.extend(HeaderValue::from_str(&id).ok().map(|id| (REQUEST_ID, id)));
    invocation.end(&LogRecord {
        request_id: &id,
        route: &route,
        status: response.status.as_u16(),
        response_bytes: response.body.len(),
        units: host.take_units(),
        subject: subject.unwrap_or(caller),
        event: security_event,
        error,
        cause: cause.as_deref(),
    });
    Ok(to_event(response))
}

/// A panic is answered as an internal error; the process goes on.
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
            .map_err(|error| Error::internal(format!("the gateway's body is not valid base64: {error}")))?
    } else {
        body.into_bytes()
    };
    Ok(Request {
        method: context.http.method,
        path: event.raw_path.unwrap_or_default(),
        path_parameters: event.path_parameters,
        query: event.raw_query_string.unwrap_or_default(),
        headers: with_cookies(event.headers, event.cookies),
        body,
        source: context.http.source_ip.unwrap_or_default(),
        id: context.request_id.unwrap_or_default(),
        received_at: now,
        verified: context.authorizer.and_then(|authorizer| verified(&authorizer.fields)),
    })
}

/// The gateway takes the cookies out of the header fields.
fn with_cookies(mut headers: HeaderMap, cookies: Option<Vec<String>>) -> HeaderMap {
    let field = cookies.and_then(|cookies| HeaderValue::from_str(&cookies.join("; ")).ok());
    headers.extend(field.map(|field| (header::COOKIE, field)));
    headers
}

/// The caller, from the authorizer's context.
fn verified(context: &HashMap<String, Value>) -> Option<Verified> {
    let caller = Caller {
        user_id: context.get("userId")?.as_str()?.parse().ok()?,
        session_id: context.get("sessionId")?.as_str()?.parse().ok()?,
    };
    let visitor = context.get("visitorId").and_then(|visitor| visitor.as_str()?.parse().ok());
    Some(Verified { caller, visitor, expires_at: seconds(context.get("expiresAt")?)? })
}

/// A whole number of seconds. The authorizer returns a number; AWS does not document whether the gateway hands it on as
/// an integer, as a floating-point number or as a string.
fn seconds(value: &Value) -> Option<u64> {
    match value {
        Value::String(text) => text.parse().ok(),
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "in the range of whole seconds"
        )]
        Value::Number(number) => number.as_u64().or_else(|| {
            let float = number.as_f64()?;
            (float.fract() == 0.0 && (0.0..9e15).contains(&float)).then_some(float as u64)
        }),
        _ => None,
    }
}

fn to_event(response: Response) -> ApiGatewayV2httpResponse {
    let mut event = ApiGatewayV2httpResponse::default();
    event.status_code = response.status.as_u16().into();
    let cookies = response.headers.get_all(header::SET_COOKIE).iter();
    event.cookies = cookies.filter_map(|cookie| Some(cookie.to_str().ok()?.to_owned())).collect();
    event.headers = response.headers;
    event.headers.remove(header::SET_COOKIE);
    // The gateway decodes a body that is declared as base64, which is how a function sends bytes.
    event.is_base64_encoded = matches!(response.body, Body::Binary(_));
    event.body = (!response.body.is_empty()).then(|| match response.body {
        Body::Text(text) => text.into(),
        Body::Binary(bytes) => bytes.to_vec().into(),
    });
    event
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::application::Stateless;
    use serde_json::json;

    #[test]
    fn the_expiry_is_read_as_integer_float_or_string() {
        for value in [json!(1_763_660_727), json!(1_763_660_727.0), json!("1763660727")] {
            assert_eq!(seconds(&value), Some(1_763_660_727), "{value}");
        }
        for value in [json!(-1), json!(1.5), json!("soon"), json!(""), json!(null), json!(1e300), json!([1])]
        {
            assert_eq!(seconds(&value), None, "{value}");
        }
    }

    #[test]
    fn a_panic_is_answered_as_an_internal_error() {
        let handler = |_| async { panic!("the text of a panic") }.boxed_local();
        let answered = answer(&Stateless, &handler, ApiGatewayV2httpRequest::default()).now_or_never();
        let event = serde_json::to_value(answered.unwrap().unwrap()).unwrap();
        assert_eq!(event["statusCode"], 500);
        let body = event["body"].as_str().unwrap();
        assert!(body.contains("urn:souk:problem:internal") && !body.contains("panic"), "{body}");
    }
}
