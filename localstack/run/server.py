"""A server that runs beside the emulator, on a port of 127.0.0.1 that is in the instance's record.

Each server is a subclass with its command line and its check for readiness.
"""

import os
import signal
import socket
import subprocess
import time
from contextlib import suppress

from run.instance import Instance, command_line
from run.project import Failure

START_SECONDS, STOP_SECONDS = 10, 5
TRIES = 5  # a port that was free a moment ago may be taken now


class Server:
    name = ""  # prefix of its members in the record, and the name of its log
    title = ""  # for messages
    scheme = "http"
    start_seconds = START_SECONDS

    def __init__(self, instance: Instance):
        self.instance = instance
        self.process: subprocess.Popen | None = None  # if this program started it

    def words(self, port: int) -> list[str]:
        """The command line that starts it."""
        raise NotImplementedError

    def mark(self) -> str:
        """A part of its command line that no other instance has."""
        raise NotImplementedError

    def greets(self, port: int) -> bool:
        """Whether the started process answers on the port, and not another process."""
        raise NotImplementedError

    def settings(self) -> dict:
        """Further arguments of its process: environment and directory."""
        return {}

    def about(self) -> dict:
        """Its members in the record other than address and pid. If they change, the process is restarted."""
        return {}

    @property
    def port(self) -> int:
        """The port of this run or of the last one; 0 if there is none."""
        return int((self.instance.record.get(f"{self.name}Url") or ":0").rpartition(":")[2])

    @property
    def pid(self) -> int | None:
        """The process, if it runs and is ours."""
        pid = self.instance.record.get(f"{self.name}Pid")
        return pid if pid and self.mark() in command_line(pid) else None

    def start(self) -> bool:
        """Starts the server unless it runs as wanted; returns whether it was started."""
        about = self.about()
        if self.pid is not None:
            if about.items() <= self.instance.record.items():
                return False
            self.stop()
        # The same port as before, so that the functions keep their settings.
        for port in [self.port or free_port(), *(free_port() for _ in range(TRIES))]:
            self.launch(port)
            try:
                ready = self.answers(port)
            except BaseException:
                self.process.kill()
                raise
            if ready:
                url = f"{self.scheme}://127.0.0.1:{port}"
                self.instance.write(**{f"{self.name}Pid": self.process.pid, f"{self.name}Url": url}, **about)
                return True
        raise Failure(f"the {self.title} does not start, see .souk/{self.instance.name}/{self.name}.log")

    def launch(self, port: int) -> None:
        with (self.instance.directory / f"{self.name}.log").open("a") as log:
            self.process = subprocess.Popen(
                self.words(port), stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True,
                **self.settings(),
            )  # fmt: skip

    def answers(self, port: int) -> bool:
        """Waits until this server answers; false if it has exited because its port was taken."""
        deadline = time.monotonic() + self.start_seconds
        while self.process.poll() is None:
            with suppress(OSError, ValueError):
                if self.greets(port):
                    return True
            if time.monotonic() > deadline:
                raise Failure(
                    f"the {self.title} did not answer within {self.start_seconds} s, "
                    f"see .souk/{self.instance.name}/{self.name}.log"
                )
            time.sleep(0.01)
        return False

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
            self.instance.write(**{f"{self.name}Pid": None})


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as free:
        return free.getsockname()[1]
