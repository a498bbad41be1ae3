"""Starts the emulator: the AWS API on one port of 127.0.0.1, Souk's HTTP API on another.

The sockets are opened before ministack is imported, because it reads its port from the environment at
import and because a taken port must be reported before anything else happens.
"""

import argparse
import json
import os
import socket
import sys
from pathlib import Path

import uvloop

# A container publishes its ports on the machine's address; for that it has to listen on all addresses of its own.
ADDRESS = os.environ.get("SOUK_BIND", "127.0.0.1")


def main() -> int:
    arguments = parse(sys.argv[1:])
    try:
        api = listen(arguments.port)
        endpoint = listen(arguments.endpoint_port)
    except OSError as error:
        report(arguments.ready_fd, {"error": str(error)})
        return 1
    ports = {"port": api.getsockname()[1], "endpointPort": endpoint.getsockname()[1]}
    configure(arguments.directory, ports["endpointPort"])

    from emulator import mends, server

    mends.apply(arguments.directory)
    try:
        uvloop.run(server.serve(api, endpoint, ready=lambda: report(arguments.ready_fd, ports)))
    finally:
        mends.stop()
        # Threads of ministack may still be waiting; they can be dropped once the state is saved.
        sys.stdout.flush()
        os._exit(0)


def parse(words):
    parser = argparse.ArgumentParser(prog="emulator", description=__doc__.splitlines()[0])
    parser.add_argument("--directory", type=Path, required=True, help="where state, logs and code are kept")
    parser.add_argument("--port", type=int, default=8080, help="port of the HTTP API, 0 for a free one")
    parser.add_argument("--endpoint-port", type=int, default=4566, help="port of the AWS API, 0 for a free one")
    parser.add_argument("--ready-fd", type=int, help="file descriptor that is told when requests are served")
    return parser.parse_args(words)


def listen(port: int) -> socket.socket:
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((ADDRESS, port))
        listener.listen(1024)
    except OSError as error:
        listener.close()
        raise OSError(f"port {port} of {ADDRESS} cannot be used: {os.strerror(error.errno)}") from error
    return listener


def configure(directory: Path, endpoint_port: int) -> None:
    """ministack's settings: it writes to the instance's directory only."""
    temporary = directory / "tmp"
    temporary.mkdir(parents=True, exist_ok=True)
    os.environ.update(
        BIND_HOST=ADDRESS,
        GATEWAY_PORT=str(endpoint_port),
        AWS_ENDPOINT_URL=f"http://127.0.0.1:{endpoint_port}",
        PERSIST_STATE="1",
        STATE_DIR=str(directory / "state"),
        TMPDIR=str(temporary),
        AUTH="true",
        LAMBDA_EXECUTOR="local",
        LAMBDA_ACCOUNT_CONCURRENCY="1000",
        LAMBDA_WARM_TTL_SECONDS="60",
        # Listeners and clients that Souk does not use.
        IOT_MTLS_ENABLED="0",
        SFTP_ENABLED="0",
        DOCKER_HOST=f"unix://{directory}/no-docker.sock",
    )
    os.environ.setdefault("MINISTACK_REGION", "us-east-1")
    os.environ.setdefault("LOG_LEVEL", "WARNING")


def report(descriptor: int | None, message: dict) -> None:
    if descriptor is None:
        print(json.dumps(message), flush=True)
        return
    with os.fdopen(descriptor, "w") as pipe:
        json.dump(message, pipe)


if __name__ == "__main__":
    sys.exit(main())
