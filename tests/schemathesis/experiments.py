"""Hooks for experiments: products that can be tested, existing experiments, and bodies whose parts fit together."""

import functools

import requests
import schemathesis
from schemathesis.generation.meta import TestPhase, negated_parameters
from service import BASE, caller, content_of, mostly, names_nothing, new_product, operation_of, post, somebody_else

WHOLE = 10_000


started = []  # experiments that cases start, stopped a few cases later


drafted = []  # the product of drafts


def tested():
    """A product of the caller's, for drafts: another one if a case has deleted it."""
    if not drafted or requests.get(f"{BASE}/products/{drafted[-1]}", timeout=15).status_code == 404:
        drafted.append(new_product(seller=caller()))
    return drafted[-1]


def of(product):
    prices = [{"productId": product, "price": {"amount": 1799, "currency": "SGD"}}]
    variants = [{"key": "control", "weight": 5000}, {"key": "low", "weight": 5000, "prices": prices}]
    return {"name": "Lower", "variants": variants, "metrics": {"primary": "conversion"}}


def new_experiment(product, owner=None):
    return post("/experiments", of(product), (owner or caller()).token)["experimentId"]


def change(experiment, body):
    headers = {"Authorization": f"Bearer {caller().token}", "If-Match": "*"}
    response = requests.patch(f"{BASE}/experiments/{experiment}", json=body, headers=headers, timeout=15)
    response.raise_for_status()


@functools.cache
def somebody_elses():
    return new_experiment(new_product(), somebody_else())


@functools.cache
def client_key():
    headers = {"Authorization": f"Bearer {somebody_else().token}"}
    return requests.put(f"{BASE}/client-key", headers=headers, timeout=15).json()["clientKey"]


def mend(body):
    """A body in which weights sum, keys differ, prices are of one product, and times and texts fit."""
    body = {name: value for name, value in body.items() if name not in ("stopsAt", "rampUp")}
    if "variants" in body:
        count = len(body["variants"])
        weights = [WHOLE - (count - 1) * (WHOLE // count), *[WHOLE // count] * (count - 1)]
        price = [{"productId": tested(), "price": {"amount": 1799, "currency": "SGD"}}]
        body["variants"] = [
            {"key": f"v{number}", "weight": weight, "prices": price if number else []} for number, weight in enumerate(weights)
        ]
    if body.get("namespace"):
        body["namespace"] = {"name": "n", "from": 0, "to": body["namespace"]["to"]}
    if len((body.get("seed") or "").encode()) > 40:
        body["seed"] = "s"
    metrics = body.get("metrics", {})
    if "secondary" in metrics:
        # An earlier case may have given the experiment another primary metric.
        primary = metrics.get("primary") or "conversion"
        secondary = [metric for metric in metrics["secondary"] if metric != primary]
        body["metrics"] = {**metrics, "primary": primary, "secondary": secondary}
    elif metrics:
        body["metrics"] = {**metrics, "secondary": []}
    return body


def mend_change(case, broken):
    """An existing experiment, mostly the caller's, which may change in this way."""
    if not case.meta.generation.mode.is_negative and isinstance(case.body, dict):
        status = case.body.get("status")
        case.body = mend({name: value for name, value in case.body.items() if name not in ("status", "winner")})
        if case.meta.phase.name != TestPhase.STATEFUL and names_nothing(case, broken):
            # Only an experiment on a product of its own can be started: those of earlier requests all test one product.
            experiment = case.path_parameters["experimentId"] = new_experiment(new_product(seller=caller()))
            if status in ("running", "stopped"):
                case.body = {"status": status}
            if status == "stopped":
                change(experiment, {"status": "running"})
            if status == "running":
                # At most 20 run at a time.
                started.append(experiment)
                while len(started) > 5:
                    change(started.pop(0), {"status": "stopped"})
    if "If-Match" in case.headers and "If-Match" not in broken and mostly(case.headers["If-Match"]):
        case.headers["If-Match"] = "*"


@schemathesis.hook
def before_load_schema(context, raw_schema):
    raw_schema["components"]["schemas"]["ScheduledTime"]["format"] = "times"
    # The last page has no next one.
    del raw_schema["paths"]["/experiments"]["get"]["responses"]["200"]["links"]["NextPageOfExperiments"]


@schemathesis.hook
def before_call(context, case, kwargs):
    if case.meta is None:
        return
    operation, broken = operation_of(case), {name for name, _ in negated_parameters(case.meta)}
    if operation == "experiment-create" and not case.meta.generation.mode.is_negative:
        case.body = mend(case.body)
    elif operation == "experiment-list" and "cursor" not in broken:
        # A generated cursor is of no list.
        (case.query or {}).pop("cursor", None)
    elif operation == "experiment-get":
        mend_id(case, broken)
    elif operation == "experiment-update":
        mend_change(case, broken)
    elif operation == "feature-list" and case.meta.phase.name != TestPhase.STATEFUL:
        mend_client_key(case, broken)


def mend_id(case, broken):
    if names_nothing(case, broken):
        mine = mostly(content_of(case)[1:])
        case.path_parameters["experimentId"] = new_experiment(tested()) if mine else somebody_elses()


def mend_client_key(case, broken):
    if "clientKey" not in broken and mostly(content_of(case)):
        case.path_parameters["clientKey"] = client_key()
