"""`python -m payments --directory .souk/NAME --port N`, as localstack/up starts it."""

import argparse
import signal
import sys
from pathlib import Path

from payments.server import Server
from payments.store import Store
from payments.webhooks import Webhooks, address_of

parser = argparse.ArgumentParser(prog="payments", description=__doc__)
parser.add_argument("--directory", type=Path, required=True, help="where payments.sqlite lies")
parser.add_argument("--port", type=int, required=True)
arguments = parser.parse_args()

# Everything that was answered is already on disk.
signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
store = Store(arguments.directory / "payments.sqlite")


def log(line: str) -> None:
    print(line, flush=True)


webhooks = Webhooks(address_of(arguments.directory), log)
Server(arguments.port, store, log, webhooks.send).serve_forever()
