"""What schemathesis cannot read from the OpenAPI document: users, existing ids, valid headers and cursors, and own checks."""

import datetime
import functools
import secrets
import time

import events  # noqa: F401, it has hooks of its own, as experiments has
import orders
import page  # noqa: F401
import requests
import sampling  # noqa: F401
import schemathesis
from hypothesis import strategies as st
from schemathesis.generation.meta import TestPhase, negated_parameters
from service import (
    BASE, PASSWORD, User, caller, content_of, is_of_this_run, leaver, mostly, names_nothing, new_product, operation_of, post,
    somebody_else,
)  # fmt: skip


@schemathesis.auth(refresh_interval=300)
class Caller:
    def get(self, case, context):
        return caller().token

    def set(self, case, token, context):
        # A log-out ends the token that it is sent with, and a deletion the account.
        if operation_of(case) == "user-delete":
            token = User().new_token()
        elif operation_of(case) in ("session-delete", "session-end-all"):
            token = leaver().new_token()
        case.headers["Authorization"] = f"Bearer {token}"


# Entity tags. The coverage phase fills headers with letters and digits unless the header has a format of its own, so it
# would never send a valid If-Match. The list has the first versions of a product, so that some tags match.
tag = st.builds(
    '{}"{}"'.format,
    st.sampled_from(["", "", "", "W/"]),
    st.one_of(st.integers(1, 3).map(str), st.text(st.characters(min_codepoint=0x23, max_codepoint=0x7E), max_size=12)),
)
schemathesis.openapi.format("entity-tags", st.just("*") | st.lists(tag, min_size=1, max_size=3).map(", ".join))

# Start times of concerts. The generator's own date-times are of all years, and very few are of a year that is allowed.
offsets = st.sampled_from(["Z", "z", "+08:00", "-03:30"])
moments = st.datetimes(datetime.datetime(1971, 1, 1), datetime.datetime(2999, 1, 1))
schemathesis.openapi.format("times", st.builds("{}{}".format, moments.map(datetime.datetime.isoformat), offsets))

# Time zones that there are: the pattern in the document fits others too. The longest is among them.
ZONES = ["Asia/Singapore", "UTC", "Etc/GMT+12", "America/Argentina/ComodRivadavia", "America/Port-au-Prince", "W-SU"]

# Pages of hosts that do not exist, so that nothing outside is asked for. They are watched, with a check that failed.
pages = st.builds("https://shop{}.example.com/item/{}".format, st.integers(0, 9), st.integers(0, 999))
schemathesis.openapi.format("pages", pages)


def with_different_alerts(body):
    """No alert twice: the document has the rule in words, since a period of 30 days may be left out."""
    if not isinstance(body, dict) or not isinstance(body.get("alerts"), list):
        return body
    different = {str(sorted({"days": 30, **alert}.items(), key=str)): alert for alert in body["alerts"]}
    return {**body, "alerts": list(different.values())}


def with_quiet_hours(body):
    """Quiet hours have a length."""
    hours = body.get("quietHours") if isinstance(body, dict) else None
    is_empty = hours and hours["from"] == hours["until"]
    return {**body, "quietHours": None} if is_empty else body


def nested_properties(depth):
    """The schema of a property that may nest this deep; the document has the rule in words, which generators understand."""
    plain = [{"type": ["boolean", "null", "number"]}, {"type": "string", "maxLength": 1024}]
    if depth == 1:
        return {"anyOf": plain}
    inner = nested_properties(depth - 1)
    return {"anyOf": [*plain, {"type": "array", "items": inner}, {"type": "object", "additionalProperties": inner}]}


def with_short_names(value):
    """Without members whose names have more than 64 bytes, which no body may have."""
    if isinstance(value, dict):
        return {name: with_short_names(member) for name, member in value.items() if len(name.encode()) <= 64}
    return [with_short_names(element) for element in value] if isinstance(value, list) else value


@schemathesis.hook
def before_load_schema(context, raw_schema):
    components = raw_schema["components"]
    for name in ("IfMatch", "IfNoneMatch"):
        components["parameters"][name]["schema"]["format"] = "entity-tags"
    components["schemas"]["Time"]["format"] = "times"
    # The document leaves out the invisible characters above U+FFFF, which a name must not begin with either.
    name = components["schemas"]["DisplayName"]
    invisible = "\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff"
    assert name["pattern"].count("\\ufff0-\\ufff8]") == 1
    name["pattern"] = name["pattern"].replace("\\ufff0-\\ufff8]", f"\\ufff0-\\ufff8{invisible}]")
    for name in ("WatchCreation", "NewWebhook"):
        components["schemas"][name]["properties"]["url"]["format"] = "pages"
    components["schemas"]["TimeZone"]["enum"] = ZONES
    # Clients of Segment send more members than are read.
    for name in ("EventUpload", "TrackedEvent"):
        components["schemas"][name]["additionalProperties"] = True
    components["schemas"]["TrackedEvent"]["properties"]["properties"]["additionalProperties"] = nested_properties(3)
    # The document allows further members in answers, because clients have to tolerate new ones. Here an undocumented
    # member is a finding: it may be an internal one.
    for schema in components["schemas"].values():
        if schema.get("type") == "object" and "properties" in schema:
            schema.setdefault("additionalProperties", False)
    # Links that only some answers have: the last page has no next page, an empty page has no first item. schemathesis
    # would report every answer without them. The hooks of lists follow pages instead.
    for path, names in {
        "/categories": ("ListThisCategory", "NextPageOfCategories"), "/products": ("NextPageOfCategory", "NextPageOfSeller", "ReadListedProduct"),
        "/products/{productId}": ("OlderReviews",),
        "/products/{productId}/reviews": ("NextPageOfReviews",),
        "/concerts": ("NextPageOfConcerts", "ReadFoundConcert"),
        "/orders": ("NextPageOfOrders", "ReadListedOrder"),
        "/users/me/export": ("NextPageOfExport",),
        "/watchlist": ("NextPageOfWatches",),
        "/items/{itemId}/prices": ("NextPageOfPrices",),
    }.items():
        links = raw_schema["paths"][path]["get"]["responses"]["200"]["links"]
        for name in names:
            del links[name]


# Values that depend on earlier requests, which no schema of a single request describes. Each case is completed just before
# it is sent, except in the part that it violates on purpose: a valid case is then valid, and an invalid one is invalid
# only in the way that it names. The change depends on the case alone and not on earlier cases: hypothesis ends the
# stateful phase silently when the same draws have another result.
CREATE = ("product-create", "band-create", "venue-create", "concert-create", "order-place", "experiment-create")
etags = {}
deleted = set()
cursors = {}
concerts = set()


def write_review(product, author, rating=4):
    """Returns the entity tag of the review."""
    draft = {"rating": rating, "title": "Good", "body": ""}
    written = post(f"/products/{product}/reviews", draft, author.token)
    return f'"{written["version"]}"'


@functools.cache
def reviewed_product():
    """The id of a product with two reviews for some numbers of stars, and cursors of its list by stars."""
    product = new_product()
    for rating in (5, 4, 3, 5, 4, 3):
        write_review(product, User(), rating)
    following = {}
    for stars in (None, 3, 4, 5):
        query = {"limit": 1} if stars is None else {"limit": 1, "stars": stars}
        page = requests.get(f"{BASE}/products/{product}/reviews", query, timeout=15).json()
        following[str(stars)] = page["nextCursor"]
    return product, following


@functools.cache
def second_page_of_export():
    """A cursor of the export: after the orders are products, also of a user without either."""
    headers = {"Authorization": f"Bearer {caller().token}"}
    return requests.get(f"{BASE}/users/me/export", headers=headers, timeout=15).json()["nextCursor"]


def new_concert(owner, starts_at="2090-01-01T20:00:00Z"):
    """The id of a concert with an existing band and venue."""
    (band, *_), venue = scene()
    body = {"name": "Night", "startsAt": starts_at, "bands": [{"bandId": band}], "venue": {"venueId": venue}}
    headers = {"Idempotency-Key": secrets.token_urlsafe(), "Prefer": "wait=10"}
    return post("/concerts", body, owner.token, **headers)["concertId"]


PLACE = {"latitude": 1.2884, "longitude": 103.8519, "radius": 5}


@functools.cache
def scene():
    """The ids of as many bands as a concert may have, and the id of a venue."""
    token = somebody_else().token
    place = {name: PLACE[name] for name in ("latitude", "longitude")}
    venue = {"name": "Hall", "address": "11 Empress Place", **place, "timeZone": "Asia/Singapore"}
    bands = [post("/bands", {"name": f"Band {number}"}, token)["bandId"] for number in range(20)]
    return bands, post("/venues", venue, token)["venueId"]


@functools.cache
def concerts_to_come():
    """The id of a concert, and a cursor for each way to sort the concerts of its band."""
    concert, *_ = [new_concert(somebody_else(), f"2090-01-0{day}T20:00:00Z") for day in (1, 2, 3)]
    following = {}
    for sort in (None, "startsAt", "-startsAt"):
        query = {"bandIds": scene()[0][0], "limit": 1} | ({"sort": sort} if sort else {})
        until = time.monotonic() + 10  # an index is eventually consistent
        while "nextCursor" not in (page := requests.get(f"{BASE}/concerts", query, timeout=15).json()):
            if time.monotonic() > until:
                raise RuntimeError(f"GET /concerts shows too few concerts: {page}")
        following[sort] = page["nextCursor"]
    return concert, following


@schemathesis.hook
def before_call(context, case, kwargs):
    if case.meta is None:
        return
    broken = {name for name, _ in negated_parameters(case.meta)}
    stateful = case.meta.phase.name == TestPhase.STATEFUL
    operation = operation_of(case)
    if operation == "product-list":
        mend_list(case.query, broken)
    elif operation == "review-list":
        mend_review_list(case, broken)
    elif operation == "review-create":
        mend_review_create(case, broken)
    elif operation in ("review-update", "review-delete"):
        mend_review_change(case, broken)
    elif operation in ("product-update", "product-delete") and "If-Match" in case.headers and "If-Match" not in broken:
        # Most cases get the current version, if it is known; otherwise nearly every case would end in 412.
        current = etags.get(case.path_parameters.get("productId"))
        if current and mostly(case.headers["If-Match"]):
            case.headers["If-Match"] = current
    elif operation == "user-update" and "If-Match" in case.headers and "If-Match" not in broken:
        # Most cases name any version; otherwise nearly every case would end in 412.
        if mostly(case.headers["If-Match"]):
            case.headers["If-Match"] = "*"
    elif operation == "password-change" and not case.meta.generation.mode.is_negative:
        # For the reason of user-register, below.
        case.body = {**case.body, "newPassword": (secrets.token_hex(8) + case.body["newPassword"])[:128]}
    elif operation == "user-delete" and not case.meta.generation.mode.is_negative:
        if isinstance(case.body, dict) and "password" in case.body and mostly(case.body["password"]):
            case.body = {"password": PASSWORD}
    elif operation == "stock-set":
        mend_stock(case, broken)
    elif operation == "concert-search":
        mend_search(case.query, broken)
    elif operation == "user-export":
        if case.query and "cursor" in case.query and "cursor" not in broken:
            case.query["cursor"] = second_page_of_export()
    elif operation == "user-show":
        if names_nothing(case, broken):
            case.path_parameters["userId"] = caller().id
    elif operation == "flash-sale-get":
        mend_flash_sale(case.query, broken)
    elif operation in ("band-get", "venue-get", "concert-get", "concert-delete"):
        mend_id(case, operation, broken)
    elif operation in ("event-track", "event-track-batch") and not case.meta.generation.mode.is_negative:
        case.body = with_short_names(case.body)
    elif operation == "payment-webhook" and not case.meta.generation.mode.is_negative:
        orders.sign(case)
    elif operation in ("category-list", "watch-list", "item-prices", "notification-list") and "cursor" not in broken:
        # No list of these users is long enough to have a second page.
        (case.query or {}).pop("cursor", None)
    elif operation in ("watch-create", "watch-update") and not case.meta.generation.mode.is_negative:
        case.body = with_different_alerts(case.body)
    elif operation == "notification-settings-put" and not case.meta.generation.mode.is_negative:
        case.body = with_quiet_hours(case.body)
    elif operation == "order-list":
        orders.mend_list(case.query, broken)
    elif operation in ("order-get", "order-cancel"):
        orders.mend_id(case, operation, broken)
    elif operation in ("session-create", "session-refresh") and stateful and isinstance(case.body, dict):
        # With the token in a cookie, the answer has nothing to go on with.
        case.body = {name: value for name, value in case.body.items() if name != "refreshTokenIn"}
    elif operation in CREATE and "Idempotency-Key" in case.headers and "Idempotency-Key" not in broken:
        # Most cases get a key of their own; otherwise nearly every case would end in 422, because the generator repeats keys.
        if stateful or mostly(case.body):
            case.headers["Idempotency-Key"] = secrets.token_urlsafe()
        if operation == "concert-create" and not case.meta.generation.mode.is_negative:
            mend_concert(case)
        if operation == "order-place" and not case.meta.generation.mode.is_negative:
            orders.mend(case)
    elif operation == "user-register" and not case.meta.generation.mode.is_negative:
        # Most cases get an address of their own, which is not registered yet.
        email = f"{secrets.token_hex(8)}.{case.body['email']}"
        if len(email) <= 254 and (stateful or mostly(case.body)):
            case.body = {**case.body, "email": email}
        # The generator begins with twelve times the same character, which is refused as too easy to guess.
        case.body = {**case.body, "password": (secrets.token_hex(8) + case.body["password"])[:128]}


def mend_list(query, broken):
    """Exactly one of category and seller, and a cursor of the same list."""
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


def mend_flash_sale(query, broken):
    """No cursor, since no session is on, and no limit without a session."""
    if "cursor" not in broken:
        query.pop("cursor", None)
    if "session" not in query and "limit" in query and "limit" not in broken:
        query.pop("limit")


def mend_review_list(case, broken):
    """A product with reviews, and a cursor of the same list."""
    if names_nothing(case, broken):
        case.path_parameters["productId"] = reviewed_product()[0]
    query = case.query or {}
    if "cursor" in query and "cursor" not in broken:
        query.pop("cursor")
        product, following = reviewed_product()
        stars = str(query.get("stars"))
        if case.path_parameters.get("productId") == product and stars in following and not broken & {"stars", "verifiedPurchase"}:
            query.pop("verifiedPurchase", None)
            query["cursor"] = following[stars]


def mend_review_create(case, broken):
    """A product that can be reviewed; some cases repeat an earlier request."""
    if names_nothing(case, broken):
        product = case.path_parameters["productId"] = new_product()
        if not case.meta.generation.mode.is_negative and not mostly(("sent before", content_of(case))):
            headers = {name: case.headers[name] for name in ("Authorization", "Idempotency-Key") if name in case.headers}
            requests.post(f"{BASE}/products/{product}/reviews", json=case.body, headers=headers, timeout=15)


def mend_stock(case, broken):
    """Mostly a product of the caller's, and always a key, which the document cannot require of a delta alone."""
    if names_nothing(case, broken):
        case.path_parameters["productId"] = new_product(seller=caller())
    if "Idempotency-Key" not in broken:
        case.headers["Idempotency-Key"] = secrets.token_urlsafe()


def mend_review_change(case, broken):
    """An existing review, mostly the caller's, and mostly its current version."""
    path = case.path_parameters
    if names_nothing(case, broken):
        author = caller() if mostly(content_of(case)[1:]) else somebody_else()
        product = new_product(seller=somebody_else() if author == caller() else caller())
        etags[product, author.id] = write_review(product, author)
        path.update(productId=product, authorId=author.id)
    current = etags.get((path.get("productId"), path.get("authorId")))
    if current and "If-Match" in case.headers and "If-Match" not in broken and mostly((case.headers["If-Match"], case.body)):
        case.headers["If-Match"] = current


def mend_concert(case):
    """Existing bands and an existing venue, if the case names any; mostly with `Prefer: wait`."""
    bands, venue = scene()
    body = dict(case.body)
    body["bands"] = [{"bandId": known} if "bandId" in band else band for band, known in zip(body["bands"], bands)]
    if "venueId" in body["venue"]:
        body["venue"] = {"venueId": venue}
    if mostly(body):
        case.headers["Prefer"] = "wait=10"
    case.body = body


def mend_id(case, operation, broken):
    """An existing resource; a concert to delete is mostly the caller's."""
    if names_nothing(case, broken):
        bands, venue = scene()
        if operation == "band-get":
            case.path_parameters["bandId"] = bands[0]
        elif operation == "venue-get":
            case.path_parameters["venueId"] = venue
        elif operation == "concert-delete" and mostly(content_of(case)[1:]):
            case.path_parameters["concertId"] = new_concert(caller())
        else:
            case.path_parameters["concertId"] = concerts_to_come()[0]


def mend_search(query, broken):
    """Bands, or a complete place, or both, mostly with concerts, and a cursor of the same list."""
    if "cursor" in query and "cursor" not in broken:
        following = concerts_to_come()[1]
        sort = query["sort"] if str(query.get("sort")) in following else None
        kept = {name: query[name] for name in ("limit", *broken) if name in query}
        query.clear()
        query.update({"bandIds": scene()[0][0], "cursor": following[sort]} | ({"sort": sort} if sort else {}) | kept)
        return
    if broken & {"bandIds", *PLACE}:
        return
    if "bandIds" in query and not is_of_this_run(query["bandIds"]) and mostly(query["bandIds"]):
        query["bandIds"] = ",".join(scene()[0][: 1 + len(query["bandIds"]) // 37])
    if query.keys() & PLACE.keys() or query.get("sort") == "distance":
        query.update(PLACE if mostly(query) else {**PLACE, **query})
    elif "bandIds" not in query:
        query["bandIds"] = scene()[0][0]


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
    elif operation == "concert-create" and response.status_code == 201:
        concerts.add(response.json().get("concertId"))
    elif operation == "concert-delete" and response.status_code == 204:
        deleted.add(case.path_parameters["concertId"])
    elif operation == "order-place" and response.status_code in (201, 202):
        orders.placed.add(response.json().get("orderId"))
    elif operation in ("review-create", "review-update") and response.status_code in (200, 201):
        review = response.json()
        etags[review.get("productId"), review.get("authorId")] = response.headers.get("etag", [None])[0]


@schemathesis.check
def problem_agrees(ctx, response, case):
    """A problem agrees with the status line and the headers, and has the headers of its kind."""
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
        # Only the gateway answers without a request id, and only with these statuses.
        assert request_id or response.status_code in (401, 403, 413, 429), "no X-Request-Id"


@schemathesis.check
def unknown_method_is_a_problem(ctx, response, case):
    """405 belongs to no operation, so the conformance checks cannot compare it with the document."""
    if response.status_code == 405:
        declared = {name.upper() for name in case.operation.schema[case.operation.path] if name in ("get", "post", "put", "patch", "delete")}
        # The document does not repeat each GET as HEAD.
        declared = sorted(declared | {"HEAD"} if "GET" in declared else declared)
        allowed = response.headers.get("allow", [""])[0]
        assert allowed == ", ".join(declared), f"Allow is {allowed!r}, the document has {declared}"
        kind = response.headers.get("content-type", [""])[0].partition(";")[0]
        assert kind == "application/problem+json", f"405 as {kind!r}"


@schemathesis.check
def product_is_there_until_it_is_deleted(ctx, response, case):
    """ensure_resource_availability and use_after_free check only links whose parameters all come from the previous response,
    but a read has optional headers that do not. So this check covers every read."""
    if operation_of(case) == "product-get":
        product = case.path_parameters.get("productId")
        assert not (response.status_code == 404 and product in etags and product not in deleted), f"{product} was published and is not found"
        assert not (response.status_code in (200, 304) and product in deleted), f"{product} was withdrawn and is still found"


@schemathesis.check
def reviews_are_those_asked_for(ctx, response, case):
    """A list has the items that its parameters select, newest first."""
    if operation_of(case) == "review-list" and response.status_code == 200:
        items = response.json()["items"]
        product, stars = case.path_parameters["productId"], (case.query or {}).get("stars")
        assert all(item["productId"] == product for item in items), f"reviews of another product than {product}"
        assert stars is None or all(item["rating"] == int(float(stars)) for item in items), f"reviews without {stars} stars"
        written = [item["createdAt"] for item in items]
        assert written == sorted(written, reverse=True), f"not newest first: {written}"


@schemathesis.check
def concert_is_there_until_it_is_deleted(ctx, response, case):
    """The same for concerts."""
    if operation_of(case) == "concert-get":
        concert = case.path_parameters.get("concertId")
        assert not (response.status_code == 404 and concert in concerts - deleted), f"{concert} was created and is not found"
        assert not (response.status_code == 200 and concert in deleted), f"{concert} was deleted and is still found"


@schemathesis.check
def concerts_are_those_asked_for(ctx, response, case):
    """A search finds concerts of the requested bands and near the requested place, once each, in the requested order."""
    if operation_of(case) == "concert-search" and response.status_code == 200:
        query, items = case.query or {}, response.json()["items"]
        asked = set(filter(None, str(query.get("bandIds") or "").split(",")))
        ids = [item["concertId"] for item in items]
        assert len(ids) == len(set(ids)), f"a concert comes twice: {ids}"
        for item in items:
            assert not asked or asked & {band["bandId"] for band in item["bands"]}, f"none of the bands plays at {item}"
            assert ("distanceKm" in item) == ("radius" in query), f"distanceKm belongs to a search by place: {item}"
            assert item.get("distanceKm", 0) <= float(query.get("radius", 0)) + 0.01, f"too far away: {item}"
        by, latest = query.get("sort") or "startsAt", query.get("sort") == "-startsAt"
        order = [item["distanceKm" if by == "distance" else "startsAt"] for item in items]
        assert order == sorted(order, reverse=latest), f"not by {by}: {order}"
