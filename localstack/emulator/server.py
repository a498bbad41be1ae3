"""One process with two ports: the first serves the HTTP API, the second AWS API calls."""

import asyncio
import logging
import signal

from ministack.app import app as aws
from uvicorn import Config, Server

from emulator import control, gateway, kafka, rules, streams

logger = logging.getLogger("emulator")

KEPT_SECONDS = 75  # for which a connection without requests is kept


async def serve(api, endpoint, ready) -> None:
    endpoint_port = endpoint.getsockname()[1]

    async def application(scope, receive, send):
        if scope["type"] == "lifespan":
            await aws(scope, watched(receive), announced(send, ready))
        elif scope["type"] == "http" and scope["server"][1] != endpoint_port:
            await gateway.answer(scope, receive, send)
        elif scope["type"] == "http" and scope["path"].startswith(control.PREFIX):
            await control.answer(scope, receive, send)
        else:
            await aws(scope, receive, send)

    # The server raises the signal that stopped it once more when it has ended, which must not end the process yet.
    for ending in (signal.SIGINT, signal.SIGTERM):
        signal.signal(ending, lambda *_: None)
    config = Config(
        application, http="httptools", ws="none", lifespan="on", interface="asgi3", proxy_headers=False, access_log=False,
        server_header=False, date_header=False, log_level="warning", timeout_keep_alive=KEPT_SECONDS,
        timeout_graceful_shutdown=2,
    )  # fmt: skip
    await Server(config).serve([api, endpoint])


def watched(receive):
    """Stops stream delivery before the state is saved, so that positions and records agree."""

    async def message():
        event = await receive()
        if event["type"] == "lifespan.shutdown":
            await asyncio.to_thread(streams.stop)
            await asyncio.to_thread(kafka.stop)
            rules.remove()
        return event

    return message


def announced(send, ready):
    async def message(event):
        await send(event)
        if event["type"] == "lifespan.startup.complete":
            ready()

    return message
