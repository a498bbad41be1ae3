"""Hooks for events: a summary is of one thing and of a span of time, which the schema of single parameters cannot say."""

import datetime

import schemathesis
from experiments import new_experiment, tested
from schemathesis.generation.meta import negated_parameters
from service import mostly, operation_of


def day(ago):
    return (datetime.datetime.now(datetime.UTC) - datetime.timedelta(days=ago)).date().isoformat()


@schemathesis.hook
def before_call(context, case, kwargs):
    if case.meta is None or operation_of(case) != "event-summary":
        return
    broken = {name for name, _ in negated_parameters(case.meta)}
    query = case.query = dict(case.query or {})
    if not broken & {"productId", "experimentId"}:
        if {"productId", "experimentId"} <= query.keys():
            del query["experimentId" if mostly(query["experimentId"]) else "productId"]
        elif not {"productId", "experimentId"} & query.keys():
            query.update({"productId": tested()} if mostly(query) else {"experimentId": new_experiment(tested())})
    if "from" in query and not broken & {"from", "to"}:
        query["from"] = day(80)
        if "to" in query:
            query["to"] = day(40)
