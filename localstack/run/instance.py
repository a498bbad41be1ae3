"""One running system: its folder and its process."""

import hashlib
import json
import os
import re
import select
import shutil
import signal
import subprocess
import time
from contextlib import suppress
from pathlib import Path

from run.environment import PYTHON, REQUIREMENTS
from run.project import LOCALSTACK, SOUK, Failure

DEFAULT_NAME = "local"
START_SECONDS = 60
STOP_SECONDS = 30  # seconds; it saves its state
PASSED_ON = ("PATH", "HOME", "LANG", "SOUK_BIND")


class Instance:
    def __init__(self, name: str):
        if not re.fullmatch(r"[a-z0-9][a-z0-9-]{0,30}", name):
            raise Failure(f"--name {name}: only lower-case letters, digits and hyphens")
        self.name = name
        self.directory = SOUK / name
        self.file = self.directory / "instance.json"
        if self.directory.exists() and not self.file.exists():
            raise Failure(f"--name {name}: .souk/{name} is there for something else")
        self.log = self.directory / "emulator.log"
        self.environment = self.directory / "lambda.env"
        self.process: subprocess.Popen | None = None  # if this program started it

    @property
    def record(self) -> dict:
        try:
            return json.loads(self.file.read_text())
        except (FileNotFoundError, ValueError):
            return {}

    def write(self, **members) -> None:
        whole = {**self.record, **members}
        temporary = self.file.with_suffix(".tmp")
        temporary.write_text(json.dumps(whole, indent=2) + "\n")
        temporary.replace(self.file)

    @property
    def options(self) -> str:
        """The options that make a command use this instance."""
        return "" if self.name == DEFAULT_NAME else f" --name {self.name}"

    def require_running(self) -> None:
        if self.pid is None or "outputs" not in self.record:
            raise Failure(f"{self.name} is not running; start it with localstack/up{self.options}")

    @property
    def pid(self) -> int | None:
        """The process, if it runs and is ours: the pid may have been reused by another program."""
        pid = self.record.get("pid")
        return pid if pid and f"emulator --directory {self.directory} " in command_line(pid) else None

    def start(self, port: int, endpoint_port: int) -> None:
        self.directory.mkdir(parents=True, exist_ok=True)
        self.write(name=self.name)
        hear, tell = os.pipe()
        with self.log.open("a") as log:
            self.process = subprocess.Popen(
                [str(PYTHON), "-m", "emulator", "--directory", str(self.directory), "--port", str(port),
                 "--endpoint-port", str(endpoint_port), "--ready-fd", str(tell)],
                cwd=LOCALSTACK, stdin=subprocess.DEVNULL, stdout=log, stderr=log, pass_fds=[tell],
                # A process group of its own: Ctrl-C does not reach it, and its functions can be stopped with it.
                start_new_session=True,
                env={name: os.environ[name] for name in PASSED_ON if name in os.environ},
            )  # fmt: skip
        os.close(tell)
        self.write(pid=self.process.pid, program=program_digest())
        try:
            ready = hear_ready(hear, f".souk/{self.name}/{self.log.name}")
        except BaseException:
            self.stop()
            raise
        if "error" in ready:
            self.stop()
            raise Failure(ready["error"])
        self.write(
            baseUrl=f"http://127.0.0.1:{ready['port']}",
            endpointUrl=f"http://127.0.0.1:{ready['endpointPort']}",
            region="us-east-1",
        )

    def stop(self) -> bool:
        pid = self.pid
        if pid is not None:
            os.kill(pid, signal.SIGTERM)
            deadline = time.monotonic() + STOP_SECONDS
            while self.pid is not None and time.monotonic() < deadline:
                time.sleep(0.02)
        group = self.record.get("pid")
        if group and (pid is not None or not command_line(group)):
            # Functions that still run: the id of a process group is the pid of its first process, here the emulator.
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(group, signal.SIGKILL)
        if self.process is not None:
            self.process.wait()
        if self.file.exists():
            self.write(pid=None)
        return pid is not None

    def forget(self) -> None:
        shutil.rmtree(self.directory, ignore_errors=True)


def hear_ready(pipe: int, log: str) -> dict:
    with os.fdopen(pipe) as messages:
        if not select.select([messages], [], [], START_SECONDS)[0]:
            raise Failure(f"the emulator did not start within {START_SECONDS} s, see {log}")
        text = messages.read()
    if not text:
        raise Failure(f"the emulator ended while starting, see {log}")
    return json.loads(text)


def command_line(pid: int) -> str:
    """The command line of a process; empty if there is no such process or it is a zombie."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
    except FileNotFoundError:
        if Path("/proc/self").exists():
            return ""
    listed = subprocess.run(["ps", "-p", str(pid), "-o", "command="], capture_output=True, text=True, check=False)
    return listed.stdout.strip() + " "


def program_digest() -> str:
    """A digest that changes when the emulator has to be restarted to run the project's current code."""
    files = [REQUIREMENTS, *sorted((LOCALSTACK / "emulator").glob("*.py"))]
    return hashlib.sha256(b"\0".join(file.read_bytes() for file in files)).hexdigest()
