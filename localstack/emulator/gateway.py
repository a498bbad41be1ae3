"""The HTTP API's data plane: from a request to a Lambda event and back.

AWS: a request that no route matches goes to `$default`, with any method; OPTIONS is a method like any other
unless CORS is configured; any error of a function is answered with 500 and `{"message":"Internal Server Error"}`, a
throttle or a timeout of 30 s with 503; cookies are in `cookies`; the function gets the caller's address and the
same request id that the caller gets as `apigw-requestid`.

ministack 1.5.33: answers 502 with the text of the function's error, 403 to every OPTIONS of an API without CORS;
every caller is 127.0.0.1; authorizer and function see different request ids; an API needs a Host header.

Routes and authorizers use ministack's records and code.

AWS does not document how a number in an authorizer's context reaches the function. For tests, this module passes it on
as it is, as a string, as a floating-point number, or as any of these: `{"numbers": "any", "seed": 7}`.
"""

import asyncio
import base64
import contextvars
import json
import logging
import os
import random
import time
from dataclasses import dataclass, field
from email.utils import formatdate
from urllib.parse import parse_qs

from ministack.core.concurrency import run_reentrant
from ministack.core.responses import get_request_client_ip, request_scope
from ministack.services import apigateway, lambda_svc

from emulator import logs

logger = logging.getLogger("emulator.gateway")

REQUEST_LIMIT = 10 * 1024 * 1024  # of an HTTP API
EVENT_LIMIT = 6 * 1024 * 1024  # of a synchronous Lambda invocation, either way
INTEGRATION_SECONDS = 30
NUMBERS = {"same": lambda number: number, "string": str, "float": float}  # what a function gets for a number
HOP_BY_HOP = {"connection", "content-length", "keep-alive", "transfer-encoding", "upgrade"}


@dataclass
class Request:
    """Identifies one request, with the same values for authorizer, function and answer."""

    source_ip: str
    id: str = field(default_factory=lambda: base64.urlsafe_b64encode(os.urandom(11)).decode())
    time: float = field(default_factory=time.time)
    user: str = "-"  # the authorizer's userId; AWS writes a dash for a variable without a value
    route: str = "-"  # the key of the route that was chosen


_numbers: dict = {"numbers": "same"}
_dice = random.Random()
_request: contextvars.ContextVar[Request] = contextvars.ContextVar("request")


def apply() -> None:
    apigateway.handle_execute = handle_execute
    invoke_authorizer = apigateway._invoke_request_authorizer_lambda

    async def with_the_request(authorizer, event, account, region):
        return await invoke_authorizer(authorizer, complete(event), account, region)

    apigateway._invoke_request_authorizer_lambda = with_the_request


def setting() -> dict:
    return dict(_numbers)


def change(wanted) -> None:
    if not isinstance(wanted, dict) or not wanted.keys() <= {"numbers", "seed"}:
        raise ValueError("the authorizer's setting is an object with numbers and maybe seed")
    if wanted.get("numbers") not in (*NUMBERS, "any"):
        raise ValueError(f"numbers {wanted.get('numbers')!r}: one of {', '.join(NUMBERS)}, any is wanted")
    _dice.seed(wanted.get("seed"))
    _numbers.clear()
    _numbers.update(wanted)


def reset() -> None:
    change({"numbers": "same"})


def passed_on(context: dict | None) -> dict | None:
    """An authorizer's context as the function gets it."""
    kind = _numbers["numbers"]
    convert = NUMBERS[_dice.choice(list(NUMBERS)) if kind == "any" else kind]
    return context and {
        name: convert(value) if type(value) in (int, float) else value for name, value in context.items()
    }


async def answer(scope, receive, send) -> None:
    """The ASGI application of the API's own port: every path belongs to the deployed HTTP API."""
    request = Request(scope["client"][0])
    _request.set(request)
    api_id = deployed_api()
    try:
        body = await read(receive)
        if body is None:
            response = message(413, "Request Entity Too Large")
        elif api_id is None:
            response = message(503, "No API is deployed yet")
        else:
            response = await handle_execute(
                api_id,
                "$default",
                apigateway.decode_http_api_path(scope["raw_path"].decode("ascii")),
                scope["method"],
                joined(scope["headers"]),
                body,
                parse_qs(scope["query_string"].decode("ascii"), keep_blank_values=True),
                scope["query_string"].decode("ascii"),
            )
    except Disconnected:
        return
    except Exception:
        logger.exception("request %s failed in the gateway", request.id)
        response = message(500, "Internal Server Error")
    await write(send, response, request)
    logs.access(
        api_id, response[0], (time.time() - request.time) * 1000,
        at=int(request.time * 1000), requestId=request.id, route=request.route, method=scope["method"], path=scope["path"],
        source=request.source_ip, userId=request.user, bytes=len(response[2]),
    )  # fmt: skip


class Disconnected(Exception):
    pass


async def read(receive) -> bytes | None:
    chunks, size = [], 0
    while True:
        event = await receive()
        if event["type"] == "http.disconnect":
            raise Disconnected
        size += len(event.get("body", b""))
        if size > REQUEST_LIMIT:
            return None
        chunks.append(event.get("body", b""))
        if not event.get("more_body"):
            return b"".join(chunks)


async def write(send, response, request: Request) -> None:
    status, headers, body = response
    lines = [
        (name.lower().encode("latin-1"), str(value).encode("utf-8"))
        for name, values in headers.items()
        for value in (values if isinstance(values, list) else [values])
        if name.lower() not in HOP_BY_HOP
    ]
    lines += [(b"date", formatdate(usegmt=True).encode()), (b"apigw-requestid", request.id.encode())]
    if status not in (204, 304):
        lines.append((b"content-length", str(len(body)).encode()))
    await send({"type": "http.response.start", "status": status, "headers": lines})
    await send({"type": "http.response.body", "body": b"" if status in (204, 304) else body})


def joined(lines) -> dict[str, str]:
    """Headers as in payload format 2.0: names in lower case, values of repeated headers joined."""
    headers: dict[str, str] = {}
    for name, value in lines:
        key, text = name.decode("latin-1").lower(), value.decode("utf-8", "replace")
        separator = "; " if key == "cookie" else ","
        headers[key] = f"{headers[key]}{separator}{text}" if key in headers else text
    return headers


def deployed_api() -> str | None:
    for (_account, _region, api_id), api in apigateway._apis.all_items():
        if api.get("protocolType") == "HTTP":
            return api_id
    return None


async def handle_execute(api_id, stage, path, method, headers, body, query_params, raw_query_string=None):
    """Replaces ministack's function of this name; both ports call it."""
    if _request.get(None) is None:
        _request.set(Request(get_request_client_ip()))
    scope = apigateway.find_api_scope(api_id)
    if scope is None:
        return apigateway._http_api_not_found()
    account, region = scope
    with request_scope(account, region):
        api = apigateway._apis[api_id]
        cors = api.get("corsConfiguration") or {}
        if cors and method == "OPTIONS" and "access-control-request-method" in headers:
            return apigateway._cors_preflight_response(cors, headers.get("origin", ""))
        if stage not in apigateway._stages.get(api_id, {}):
            return apigateway._http_api_not_found()
        # AWS treats several leading slashes of a path as one when it chooses the route.
        route = apigateway._match_route(api_id, method, "/" + path.lstrip("/"))
        if route is None:
            return apigateway._http_api_not_found()
        _request.get().route = route["routeKey"]
        query, raw_query = query_params or {}, raw_query_string or ""
        call = Call(api_id, stage, route, method, path, headers, query, raw_query, account, region)
        status, answered, payload = await run(call, body)
        if cors:
            answered.update(apigateway._cors_response_headers(cors, headers.get("origin", "")))
        return status, answered, payload


@dataclass
class Call:
    """One request and its route."""

    api_id: str
    stage: str
    route: dict
    method: str
    path: str
    headers: dict[str, str]
    query: dict[str, list[str]]
    raw_query: str
    account: str
    region: str

    @property
    def template(self) -> str:
        return self.route["routeKey"].partition(" ")[2]

    @property
    def parameters(self) -> dict[str, str]:
        return apigateway._extract_path_params(self.template, "/" + self.path.lstrip("/")) if self.template else {}

    @property
    def stage_variables(self) -> dict[str, str]:
        return apigateway._get_stage_variables(self.api_id, self.stage)


async def run(call: Call, body: bytes):
    request = _request.get()
    call.headers = {
        "x-forwarded-proto": "http",
        "x-amzn-trace-id": f"Root=1-{int(request.time):08x}-{os.urandom(12).hex()}",
        **call.headers,
        "x-forwarded-for": ", ".join(filter(None, [call.headers.get("x-forwarded-for"), request.source_ip])),
    }
    refusal, authorizer = await authorize(call)
    if refusal is not None:
        return refusal
    function, config = target(call)
    if function is None:
        return message(500, "Internal Server Error")
    event = complete(event_of(call, authorizer, body))
    if len(event.get("body", "")) > EVENT_LIMIT:
        return message(413, "Request Entity Too Large")
    record = lambda_svc._execution_record_for_config(function, config)
    execute = lambda_svc._execute_function_with_config_scope
    invocation = asyncio.ensure_future(run_reentrant(execute, record, event, thread_name="gateway"))
    finished, _ = await asyncio.wait({invocation}, timeout=INTEGRATION_SECONDS)
    if not finished:
        return message(503, "Service Unavailable")
    return proxy_response(invocation.result(), config["FunctionName"], request)


async def authorize(call: Call):
    """(the answer to a refused request or None, the authorizer's member of the context or None)"""
    kind = (call.route.get("authorizationType") or "NONE").upper()
    if kind == "NONE":
        return None, None
    if kind != "CUSTOM":
        logger.error("route %s: authorization %s is not emulated", call.route["routeKey"], kind)
        return message(500, "Internal Server Error"), None
    refusal, context = await apigateway._authorize_request_v2(
        call.api_id, call.stage, call.route, call.method, call.path, call.template or call.path, call.headers,
        call.query, call.parameters, call.stage_variables, call.account, call.region, call.raw_query,
    )  # fmt: skip
    if context:
        _request.get().user = str(context.get("userId", "-"))
    return refusal, {"lambda": passed_on(context)}


def target(call: Call):
    """The function that the route leads to, and its configuration."""
    integration = apigateway._integrations.get(call.api_id, {}).get(call.route.get("target", "").rpartition("/")[2])
    reference = apigateway._extract_lambda_ref_from_integration_uri((integration or {}).get("integrationUri", ""))
    function, config, _name = lambda_svc._get_func_record_for_ref(reference)
    if function is None or config is None:
        logger.error("route %s: no function %r", call.route["routeKey"], reference)
        return None, None
    return function, config


def event_of(call: Call, authorizer: dict | None, body: bytes) -> dict:
    return {
        "version": "2.0",
        "routeKey": call.route["routeKey"],
        "rawPath": call.path,
        "rawQueryString": call.raw_query,
        "headers": call.headers,
        "queryStringParameters": {name: ",".join(values) for name, values in call.query.items()} or None,
        "requestContext": {
            "accountId": call.account,
            "apiId": call.api_id,
            "authorizer": authorizer,
            "domainName": call.headers.get("host", "").partition(":")[0] or "localhost",
            "http": {
                "method": call.method,
                "path": call.path,
                "protocol": "HTTP/1.1",
                "userAgent": call.headers.get("user-agent", ""),
            },
            "routeKey": call.route["routeKey"],
            "stage": call.stage,
        },
        "pathParameters": call.parameters or None,
        "stageVariables": call.stage_variables or None,
        **content(body, call.headers.get("content-type")),
    }


def complete(event: dict) -> dict:
    """Adds the members that ministack does not set, and removes those that AWS omits when they are empty."""
    request = _request.get()
    headers = dict(event["headers"])
    cookies = headers.pop("cookie", None)
    context = {name: value for name, value in event["requestContext"].items() if value is not None}
    context.update(
        domainPrefix=context.get("apiId", ""),
        http={**context["http"], "sourceIp": request.source_ip},
        requestId=request.id,
        time=time.strftime("%d/%b/%Y:%H:%M:%S +0000", time.gmtime(request.time)),
        timeEpoch=int(request.time * 1000),
    )
    whole = {**event, "headers": headers, "requestContext": context}
    if cookies:
        whole["cookies"] = [cookie.strip() for cookie in cookies.split(";")]
    return {name: value for name, value in whole.items() if value is not None}


def content(body: bytes, content_type: str | None) -> dict:
    if not body:
        return {"isBase64Encoded": False}
    if apigateway._v2_request_body_is_text(content_type):
        return {"body": body.decode("utf-8", "replace"), "isBase64Encoded": False}
    return {"body": base64.b64encode(body).decode(), "isBase64Encoded": True}


def proxy_response(result: dict, function: str, request: Request):
    """The HTTP answer to what a function returned, by the rules of payload format 2.0."""
    if result.get("throttle"):
        return message(503, "Service Unavailable")
    payload = result.get("body")
    if result.get("error"):
        logger.error("request %s: %s failed: %s", request.id, function, json.dumps(payload))
        return message(500, "Internal Server Error")
    if not isinstance(payload, dict) or "statusCode" not in payload:
        text = payload if isinstance(payload, str) else json.dumps(payload)
        payload = {"statusCode": 200, "headers": {"content-type": "application/json"}, "body": text}
    try:
        status = int(payload["statusCode"])
        body = payload.get("body") or ""
        body = base64.b64decode(body) if payload.get("isBase64Encoded") else body.encode("utf-8")
        headers = {name.lower(): str(value) for name, value in (payload.get("headers") or {}).items()}
        cookies = list(payload.get("cookies") or [])
        if not 100 <= status <= 599 or len(body) > EVENT_LIMIT:
            raise ValueError(f"status {status}, {len(body)} bytes")
    except (AttributeError, TypeError, ValueError) as error:
        logger.error("request %s: %s returned no proxy response: %s", request.id, function, error)
        return message(500, "Internal Server Error")
    if body and "content-type" not in headers:
        headers["content-type"] = "text/plain; charset=utf-8"
    if cookies:
        own = headers.pop("set-cookie", None)
        headers["set-cookie"] = cookies + ([own] if own else [])
    return status, headers, body


def message(status: int, text: str):
    return status, {"content-type": "application/json"}, json.dumps({"message": text}, separators=(",", ":")).encode()
