"""What schemathesis cannot read from the OpenAPI document: who to be, which headers and cursors are real, and a few checks of our own."""

import os
import secrets
import zlib

import requests
import schemathesis
from hypothesis import strategies as st
from schemathesis.generation.meta import TestPhase, negated_parameters

BASE = os.environ["SOUK_URL"].rstrip("/")
PASSWORD = "correct horse battery staple"


def post(path, body, token=None):
    headers = {"Authorization": f"Bearer {token}"} if token else None
    response = requests.post(BASE + path, json=body, headers=headers, timeout=15)
    if response.status_code != 201:
        raise RuntimeError(f"POST {path} answered {response.status_code}: {response.text[:300]}")
    return response.json()


@schemathesis.auth(refresh_interval=300)
class Seller:
    """A user of this run, logged in again well before an access token (900 s) expires."""

    email = None

    def get(self, case, context):
        if Seller.email is None:
            email = f"{secrets.token_hex(8)}@schemathesis.example"
            post("/users", {"email": email, "password": PASSWORD, "displayName": "Schemathesis"})
            Seller.email = email
        return post("/sessions", {"email": Seller.email, "password": PASSWORD})["accessToken"]

    def set(self, case, token, context):
        case.headers["Authorization"] = f"Bearer {token}"


# Entity tags. The coverage phase fills headers with letters and digits alone unless the header has a format of its own,
# and so would never send a valid If-Match. Versions of a young product are in the list, so that some do match.
tag = st.builds(
    '{}"{}"'.format,
    st.sampled_from(["", "", "", "W/"]),
    st.one_of(st.integers(1, 3).map(str), st.text(st.characters(min_codepoint=0x23, max_codepoint=0x7E), max_size=12)),
)
schemathesis.openapi.format("entity-tags", st.just("*") | st.lists(tag, min_size=1, max_size=3).map(", ".join))


@schemathesis.hook
def before_load_schema(context, raw_schema):
    components = raw_schema["components"]
    for name in ("IfMatch", "IfNoneMatch"):
        components["parameters"][name]["schema"]["format"] = "entity-tags"
    # The document asks clients to bear with new members in answers, so it leaves them open. Here an undocumented member
    # is a finding: it may be an internal one that leaks.
    for schema in components["schemas"].values():
        if schema.get("type") == "object" and "properties" in schema:
            schema.setdefault("additionalProperties", False)
    # Links that only some answers can be followed by: the last page has no next, an empty one no first item. Every answer
    # without them would be reported. Pages are followed by `mend_list` instead.
    links = raw_schema["paths"]["/products"]["get"]["responses"]["200"]["links"]
    for name in ("NextPageOfCategory", "NextPageOfSeller", "ReadListedProduct"):
        del links[name]


# What only a conversation can tell, and no schema of a single request. Each case is mended just before it is sent, but
# never in the part that it breaks on purpose: a good case is then good, and a bad one is bad only in the way it says.
# What is done follows from the case alone, not from what went before: hypothesis ends the stateful phase, without a word,
# when the same draws lead elsewhere.
etags = {}
deleted = set()
cursors = {}


def operation_of(case):
    sent_as_declared = case.method.upper() == case.operation.method.upper()
    return case.operation.definition.raw.get("operationId") if sent_as_declared else None


def mostly(value):
    """True for three of four values."""
    return zlib.crc32(str(value).encode()) % 4 != 0


@schemathesis.hook
def before_call(context, case, kwargs):
    if case.meta is None:
        return
    broken = {name for name, _ in negated_parameters(case.meta)}
    stateful = case.meta.phase.name == TestPhase.STATEFUL
    operation = operation_of(case)
    if operation == "product-list":
        mend_list(case.query, broken)
    elif operation in ("product-update", "product-delete") and "If-Match" in case.headers and "If-Match" not in broken:
        # Most name the current version, as far as it is known; left alone, nearly every case would end in 412.
        current = etags.get(case.path_parameters.get("productId"))
        if current and mostly(case.headers["If-Match"]):
            case.headers["If-Match"] = current
    elif operation == "product-create" and "Idempotency-Key" in case.headers and "Idempotency-Key" not in broken:
        # Most have a key of their own; left alone, nearly every case would end in 422, for the generator likes few keys.
        if stateful or mostly(case.body):
            case.headers["Idempotency-Key"] = secrets.token_urlsafe()
    elif operation == "user-register" and not case.meta.generation.mode.is_negative:
        # Likewise most have an address of their own, which would else be taken.
        email = f"{secrets.token_hex(8)}.{case.body['email']}"
        if len(email) <= 254 and (stateful or mostly(case.body)):
            case.body = {**case.body, "email": email}


def mend_list(query, broken):
    """Exactly one of category and seller, and a cursor that the same list has given."""
    if broken & {"category", "seller"}:
        for name in {"category", "seller", "cursor"} - broken:
            query.pop(name, None)
        return
    if "category" in query and "seller" in query:
        query.pop("seller" if mostly(query["category"]) else "category")
    elif not list_of(query):
        query["category"] = "kitchen"
    if "cursor" in query and "cursor" not in broken:
        query.pop("cursor")
        if cursors:
            known = list(cursors)[-1]
            query.pop("category", None)
            query.pop("seller", None)
            query.update(known, cursor=cursors[known])


def list_of(query):
    return tuple((name, query[name]) for name in ("category", "seller") if query.get(name) is not None)


@schemathesis.hook
def after_call(context, case, response):
    operation = operation_of(case)
    if operation == "product-list" and response.status_code == 200:
        following = response.json().get("nextCursor")
        if following:
            cursors[list_of(case.query)] = following
    elif operation in ("product-create", "product-update", "product-get") and response.status_code in (200, 201):
        etags[response.json().get("productId")] = response.headers.get("etag", [None])[0]
    elif operation == "product-delete" and response.status_code == 204:
        deleted.add(case.path_parameters["productId"])


@schemathesis.check
def problem_agrees(ctx, response, case):
    """A problem tells the same as the status line and the headers do, and comes with the headers of its kind."""
    kind = response.headers.get("content-type", [""])[0].partition(";")[0]
    request_id = response.headers.get("x-request-id", [None])[0]
    if kind == "application/problem+json" and response.content:
        problem = response.json()
        assert problem["status"] == response.status_code, f"status {problem['status']} in the problem, {response.status_code} outside"
        assert problem["instance"] == request_id, f"instance {problem['instance']!r}, X-Request-Id {request_id!r}"
        needed = {405: ["allow"], 412: ["etag"], 429: ["retry-after", "ratelimit", "ratelimit-policy"], 503: ["retry-after"]}
        for name in needed.get(response.status_code, []):
            assert response.headers.get(name), f"a {response.status_code} problem without {name}"
    else:
        # Only the gateway itself answers without a request id, and only these statuses.
        assert request_id or response.status_code in (401, 403, 413, 429), "no X-Request-Id"


@schemathesis.check
def unknown_method_is_a_problem(ctx, response, case):
    """405 belongs to no operation, so the conformance checks have nothing to compare it with."""
    if response.status_code == 405:
        declared = sorted(name.upper() for name in case.operation.schema[case.operation.path] if name in ("get", "post", "put", "patch", "delete"))
        allowed = response.headers.get("allow", [""])[0]
        assert allowed == ", ".join(declared), f"Allow is {allowed!r}, the document has {declared}"
        kind = response.headers.get("content-type", [""])[0].partition(";")[0]
        assert kind == "application/problem+json", f"405 as {kind!r}"


@schemathesis.check
def product_is_there_until_it_is_deleted(ctx, response, case):
    """ensure_resource_availability and use_after_free look at links whose every parameter comes from the response before, and a read
    has optional headers that never do. So this looks at every read."""
    if operation_of(case) == "product-get":
        product = case.path_parameters.get("productId")
        assert not (response.status_code == 404 and product in etags and product not in deleted), f"{product} was published and is not found"
        assert not (response.status_code in (200, 304) and product in deleted), f"{product} was withdrawn and is still found"
