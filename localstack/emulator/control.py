"""Calls for tests, on the port of the AWS API: `/_souk/processes`, `/_souk/faults`, `/_souk/delays`."""

import json

from emulator import faults, functions, states

PREFIX = "/_souk/"


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
        case "GET", "faults", "":
            return 200, faults.listed()
        case (("PUT" | "POST"), "faults", ""):
            return 200, faults.add(json.loads(body), instead=method == "PUT")
        case "DELETE", "faults", _:
            found = faults.remove(identifier or None)
            return (404, {"message": f"there is no rule {identifier}"}) if identifier and not found else (200, [])
        case "GET", "delays", "":
            return 200, states.scales
        case "PUT", "delays", "":
            states.set_scales(json.loads(body))
            return 200, states.scales
        case "DELETE", "delays", "":
            states.set_scales(dict.fromkeys(states.scales, 1))
            return 200, states.scales
    return 404, {"message": f"there is no {method} {PREFIX}{path}"}
