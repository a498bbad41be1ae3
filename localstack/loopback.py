"""HTTP on 127.0.0.1 for the servers beside the emulator: the server, and what their handlers have in common."""

import socket
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Malformed(ValueError):
    """Describes what is wrong with the body of a call for tests."""


class LoopbackServer(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def __init__(self, port: int, handler: type[BaseHTTPRequestHandler]):
        super().__init__(("127.0.0.1", port), handler)

    def handle_error(self, request, client_address):
        # A client that disconnected is not worth a log line.
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)

    def server_bind(self):
        # The original resolves the name of 127.0.0.1, which is not needed and can take seconds.
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.socket.bind(self.server_address)
        self.server_address = self.socket.getsockname()
        self.server_name, self.server_port = self.server_address


class LoopbackHandler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    sys_version = ""  # the header Server is `server_version` alone
    disable_nagle_algorithm = True
    wbufsize = -1  # sends an answer in one packet

    def log_message(self, *_arguments) -> None:
        """Writes nothing: a server writes one line of its own for each call, when it has ended."""
