"""`python -m broker --directory .souk/NAME --port N`, as localstack/up starts it: its health has the broker's address.

The cluster chooses its port itself. It keeps 100,000 records or 5 MiB of each partition, in memory.
"""

import argparse
import json
import os
import signal
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from confluent_kafka import Producer

TOPIC = "souk.events"  # the cluster cannot be asked to create one: it creates those that a producer asks about

parser = argparse.ArgumentParser(prog="broker", description=__doc__)
parser.add_argument("--directory", type=Path, required=True, help="of the instance; nothing is written there")
parser.add_argument("--port", type=int, required=True, help="of the health check")
arguments = parser.parse_args()

signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
cluster = Producer({"test.mock.num.brokers": 1, "log_level": 2})
(address,) = cluster.list_topics(TOPIC, timeout=5).brokers.values()
HEALTH = json.dumps({"pid": os.getpid(), "brokers": f"{address.host}:{address.port}"}).encode()


class Health(BaseHTTPRequestHandler):
    def do_GET(self):  # the name is http.server's
        self.send_response(200)
        self.send_header("Content-Length", str(len(HEALTH)))
        self.end_headers()
        self.wfile.write(HEALTH)

    def log_message(self, *_):
        """Logs nothing."""


class Server(ThreadingHTTPServer):
    daemon_threads = True

    def server_bind(self):
        # The original resolves the name of 127.0.0.1, which is not needed and can take seconds.
        self.socket.bind(self.server_address)
        self.server_name, self.server_port = self.server_address


Server(("127.0.0.1", arguments.port), Health).serve_forever()
