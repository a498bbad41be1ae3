"""Calls for tests, on the port of the AWS API, at `/_souk/`. README.md describes them."""

import json
from urllib.parse import unquote

from emulator import express, functions, gateway, indexes, kafka, mails, restore, rules, shards, states

PREFIX = "/_souk/"
# Modules with a setting, which is read, changed and reset.
SETTINGS = {
    "authorizer": gateway, "delays": states, "express": express, "indexes": indexes, "kafka": kafka, "shards": shards,
}  # fmt: skip


async def answer(scope, receive, send) -> None:
    body = b""
    while (event := await receive())["type"] == "http.request":
        body += event.get("body", b"")
        if not event.get("more_body"):
            break
    try:
        status, document = respond(scope["method"], scope["path"].removeprefix(PREFIX), body)
    except ValueError as error:  # of JSON as well
        status, document = 400, {"message": str(error)}
    headers = [(b"content-type", b"application/json")]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": json.dumps(document).encode()})


def respond(method: str, path: str, body: bytes):
    resource, _, identifier = path.partition("/")
    match method, resource, identifier:
        case "GET", "processes", "":
            return 200, functions.processes()
        case "GET", "mails", _:
            return 200, mails.sent_to(unquote(identifier))
        case "GET", "faults", "":
            return 200, rules.listed()
        case (("PUT" | "POST"), "faults", ""):
            return 200, rules.add(json.loads(body), instead=method == "PUT")
        case "DELETE", "faults", _:
            found = rules.remove(identifier or None)
            return (404, {"message": f"there is no rule {identifier}"}) if identifier and not found else (200, [])
        case (("GET" | "PUT" | "DELETE"), _, "") if resource in SETTINGS:
            module = SETTINGS[resource]
            if method == "PUT":
                module.change(json.loads(body))
            elif method == "DELETE":
                module.reset()
            return 200, module.setting()
        case "GET", "executions", _ if identifier:
            return 200, express.shown(identifier)
        case "DELETE", "executions", _ if identifier:
            return 200, express.end(identifier)
        case "POST", "restore", "":
            return 200, restore.restore(json.loads(body))
    return 404, {"message": f"there is no {method} {PREFIX}{path}"}
