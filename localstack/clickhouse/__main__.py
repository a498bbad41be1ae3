"""`python -m clickhouse --directory .souk/NAME --port N`, as localstack/up starts it."""

import argparse
import os
import signal
from pathlib import Path

from clickhouse.engine import Engine
from clickhouse.server import Server

parser = argparse.ArgumentParser(prog="clickhouse", description=__doc__)
parser.add_argument("--directory", type=Path, required=True, help="where the folder with the data lies")
parser.add_argument("--port", type=int, required=True)
arguments = parser.parse_args()

# What an answered insert has written is on disk, and the engine takes seconds to end its threads.
signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
# The port first: the engine refuses a folder that another process has, and that process has the port too.
server = Server(arguments.port, lambda line: print(line, flush=True))
server.engine = Engine(arguments.directory / "clickhouse")
server.serve_forever()
