"""The cache of an instance: a Valkey or Redis server on 127.0.0.1, as ElastiCache for Valkey is on AWS.

It holds nothing on disk and lives no longer than the emulator beside it, so that it never knows of a change that the
table has lost.
"""

import os
import shutil
import signal
import socket
import subprocess
import time
from contextlib import suppress
from pathlib import Path

from run import debian
from run.environment import locked
from run.instance import Instance, command_line
from run.project import SOUK, Failure, say

PROGRAMS = ("valkey-server", "redis-server")
UNPACKED = SOUK / "redis"
PACKAGES = ["redis-server", "redis-tools"]  # the program itself is in redis-tools
INSTALL = "install valkey or redis (Debian: apt install redis-server; macOS: brew install valkey)"
START_SECONDS, STOP_SECONDS = 10, 3
TRIES = 5  # a port that was free a moment ago may be taken


def program() -> str:
    """The server: the machine's own, or else Debian's in `.souk/redis`."""
    for name in PROGRAMS:
        if found := shutil.which(name):
            return found
    unpacked = UNPACKED / "usr" / "bin" / "redis-server"
    with locked(SOUK / "redis.lock"):
        if works(unpacked):
            return str(unpacked)
        if not debian.available():
            raise Failure(f"there is no cache server: {INSTALL}")
        say("fetching Debian's redis-server into .souk/redis (once)")
        try:
            debian.unpack(PACKAGES, UNPACKED)
        except Failure as failure:
            raise Failure(f"there is no cache server: {INSTALL}; {failure}") from failure
        if not works(unpacked):
            raise Failure(f"there is no cache server: {INSTALL}; the one in .souk/redis does not run here")
    return str(unpacked)


def works(server: Path) -> bool:
    if not server.exists():
        return False
    words = [str(server), "--version"]
    return subprocess.run(words, env=environment(str(server)), capture_output=True, check=False).returncode == 0


def environment(server: str) -> dict[str, str]:
    return {"LD_LIBRARY_PATH": debian.libraries(UNPACKED)} if server.startswith(str(UNPACKED)) else {}


class Cache:
    def __init__(self, instance: Instance):
        self.instance = instance
        self.process: subprocess.Popen | None = None  # when this very program started it

    @property
    def port(self) -> int:
        """The port of this run or of the last one; 0 when there was none."""
        return int((self.instance.record.get("cacheUrl") or ":0").rpartition(":")[2])

    @property
    def pid(self) -> int | None:
        """The process, if it runs and is ours: both servers put address and port in their title."""
        pid = self.instance.record.get("cachePid")
        return pid if pid and f"-server 127.0.0.1:{self.port}" in command_line(pid) else None

    def start(self) -> bool:
        """Starts the server unless it runs; tells whether it did."""
        if self.pid is not None:
            return False
        server = program()
        # The same port as before, so that the functions need not be told of another.
        for port in [self.port or free_port(), *(free_port() for _ in range(TRIES))]:
            self.process = launch(server, port, self.instance.directory)
            try:
                ready = answers(self.process, port)
            except BaseException:
                self.process.kill()
                raise
            if ready:
                self.instance.write(cachePid=self.process.pid, cacheUrl=f"redis://127.0.0.1:{port}")
                return True
        raise Failure("the cache server does not start, see .souk/*/cache.log")

    def stop(self) -> None:
        pid = self.pid
        if pid is not None:
            for number in (signal.SIGTERM, signal.SIGKILL):
                with suppress(ProcessLookupError):
                    os.kill(pid, number)
                deadline = time.monotonic() + STOP_SECONDS
                while self.pid is not None and time.monotonic() < deadline:
                    time.sleep(0.01)
        if self.process is not None:
            self.process.wait()
        if self.instance.file.exists():
            self.instance.write(cachePid=None)

    def forget(self) -> None:
        self.stop()
        self.instance.write(cacheUrl=None)


def launch(server: str, port: int, directory: Path) -> subprocess.Popen:
    # Without a file's name the server reads no configuration but this.
    settings = {
        "bind": "127.0.0.1", "port": str(port), "dir": str(directory), "save": "", "appendonly": "no",
        "maxmemory": "64mb", "maxmemory-policy": "allkeys-lru",
    }  # fmt: skip
    with (directory / "cache.log").open("a") as log:
        return subprocess.Popen(
            [server, *(word for name, value in settings.items() for word in (f"--{name}", value))],
            stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True, env=environment(server),
        )  # fmt: skip


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as free:
        return free.getsockname()[1]


def answers(process: subprocess.Popen, port: int) -> bool:
    """Waits until this very server answers: false when it has ended, for want of its port."""
    deadline = time.monotonic() + START_SECONDS
    while process.poll() is None:
        with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1) as connection:
            connection.sendall(b"INFO server\r\n")
            if f"process_id:{process.pid}\r\n".encode() in connection.recv(4096):  # not another that has the port
                return True
        if time.monotonic() > deadline:
            raise Failure(f"the cache server did not answer within {START_SECONDS} s, see .souk/*/cache.log")
        time.sleep(0.01)
    return False
