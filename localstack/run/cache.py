"""The cache of an instance: a Valkey or Redis server on 127.0.0.1, as ElastiCache for Valkey is on AWS.

It has no persistence and is stopped with the emulator, so that it never contains a change that the table has lost.
"""

import shutil
import socket
import subprocess
from pathlib import Path

from run import debian
from run.environment import locked
from run.project import SOUK, Failure, say
from run.server import Server

PROGRAMS = ("valkey-server", "redis-server")
UNPACKED = SOUK / "redis"
PACKAGES = ["redis-server", "redis-tools"]  # the package redis-tools contains the program
INSTALL = "install valkey or redis (Debian: apt install redis-server; macOS: brew install valkey)"


def program() -> str:
    """The server program: the machine's, otherwise Debian's in `.souk/redis`."""
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


class Cache(Server):
    name, title, scheme = "cache", "cache server", "redis"

    def words(self, port: int) -> list[str]:
        # Without a file name, the server reads no configuration other than this.
        settings = {
            "bind": "127.0.0.1", "port": str(port), "dir": str(self.instance.directory), "save": "", "appendonly": "no",
            "maxmemory": "64mb", "maxmemory-policy": "allkeys-lru",
        }  # fmt: skip
        return [program(), *(word for name, value in settings.items() for word in (f"--{name}", value))]

    def settings(self) -> dict:
        return {"env": environment(program())}

    def mark(self) -> str:
        return f"-server 127.0.0.1:{self.port}"  # both servers show address and port in their process title

    def greets(self, port: int) -> bool:
        with socket.create_connection(("127.0.0.1", port), timeout=1) as connection:
            connection.sendall(b"INFO server\r\n")
            return f"process_id:{self.process.pid}\r\n".encode() in connection.recv(4096)

    def forget(self) -> None:
        self.stop()
        self.instance.write(cacheUrl=None)
