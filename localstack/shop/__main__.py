"""`python -m shop --directory .souk/NAME --port N`, as localstack/up starts it."""

import argparse
import signal
import sys
from pathlib import Path

from shop.server import Server
from shop.stock import Stock

parser = argparse.ArgumentParser(prog="shop", description=__doc__)
parser.add_argument("--directory", type=Path, required=True, help="where shop.json lies")
parser.add_argument("--port", type=int, required=True)
arguments = parser.parse_args()

# Every change is already on disk.
signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
Server(arguments.port, Stock(arguments.directory / "shop.json"), lambda line: print(line, flush=True)).serve_forever()
