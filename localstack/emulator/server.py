"""One process with two ports: the first serves the HTTP API, the second AWS API calls."""

import asyncio
import logging

from hypercorn.asyncio import serve as hypercorn
from hypercorn.config import Config
from ministack.app import app as aws

from emulator import control, gateway, kafka, rules, streams

logger = logging.getLogger("emulator")


async def serve(api, endpoint, ready) -> None:
    config = Config()
    config.bind = [f"fd://{api.detach()}", f"fd://{endpoint.fileno()}"]
    config.keep_alive_timeout = 75
    config.graceful_timeout = 2
    config.loglevel = "WARNING"
    endpoint_port = endpoint.getsockname()[1]
    endpoint.detach()

    async def application(scope, receive, send):
        if scope["type"] == "lifespan":
            await aws(scope, watched(receive), announced(send, ready))
        elif scope["type"] == "http" and scope["server"][1] != endpoint_port:
            await gateway.answer(scope, receive, send)
        elif scope["type"] == "http" and scope["path"].startswith(control.PREFIX):
            await control.answer(scope, receive, send)
        else:
            await aws(scope, receive, send)

    await hypercorn(application, config)


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
