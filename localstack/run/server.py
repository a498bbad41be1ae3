"""A server beside the emulator: a process of its own on a port of 127.0.0.1, which the instance's record knows.

What is particular to one is in a class of its own: its command line, and how it is asked whether it is ready.
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
TRIES = 5  # a port that was free a moment ago may be taken


class Server:
    name = ""  # the members of the record that are its own begin with it, and its log is named after it
    title = ""  # in messages
    scheme = "http"

    def __init__(self, instance: Instance):
        self.instance = instance
        self.process: subprocess.Popen | None = None  # when this very program started it

    def words(self, port: int) -> list[str]:
        """The command line that starts it."""
        raise NotImplementedError

    def mark(self) -> str:
        """What the command line of its process holds, and that of no other instance."""
        raise NotImplementedError

    def greets(self, port: int) -> bool:
        """Whether the process that was started answers there, and not another that has the port."""
        raise NotImplementedError

    def settings(self) -> dict:
        """What its process needs besides: its environment and directory."""
        return {}

    def about(self) -> dict:
        """What the record holds of it besides address and pid. A process with another is started anew."""
        return {}

    @property
    def port(self) -> int:
        """The port of this run or of the last one; 0 when there was none."""
        return int((self.instance.record.get(f"{self.name}Url") or ":0").rpartition(":")[2])

    @property
    def pid(self) -> int | None:
        """The process, if it runs and is ours."""
        pid = self.instance.record.get(f"{self.name}Pid")
        return pid if pid and self.mark() in command_line(pid) else None

    def start(self) -> bool:
        """Starts the server unless it runs as wanted; tells whether it did."""
        about = self.about()
        if self.pid is not None:
            if about.items() <= self.instance.record.items():
                return False
            self.stop()
        # The same port as before, so that the functions need not be told of another.
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
        raise Failure(f"the {self.title} does not start, see .souk/*/{self.name}.log")

    def launch(self, port: int) -> None:
        with (self.instance.directory / f"{self.name}.log").open("a") as log:
            self.process = subprocess.Popen(
                self.words(port), stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True,
                **self.settings(),
            )  # fmt: skip

    def answers(self, port: int) -> bool:
        """Waits until this very server answers: false when it has ended, for want of its port."""
        deadline = time.monotonic() + START_SECONDS
        while self.process.poll() is None:
            with suppress(OSError, ValueError):
                if self.greets(port):
                    return True
            if time.monotonic() > deadline:
                raise Failure(
                    f"the {self.title} did not answer within {START_SECONDS} s, see .souk/*/{self.name}.log"
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
