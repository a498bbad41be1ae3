"""The payment provider of an instance: a server on 127.0.0.1 that answers as Stripe's test mode does."""

import hashlib
import json
import os
import signal
import subprocess
import time
import urllib.request
from contextlib import suppress

from run.cache import TRIES, free_port
from run.environment import PYTHON
from run.instance import PASSED_ON, Instance, command_line
from run.project import LOCALSTACK, Failure

START_SECONDS, STOP_SECONDS = 10, 5
HEALTH = "/_souk/health"
SECRET_KEY = "sk_test_local"  # Stripe's own are longer; the server takes any that begins like this


class Payments:
    def __init__(self, instance: Instance):
        self.instance = instance
        self.process: subprocess.Popen | None = None  # when this very program started it

    @property
    def port(self) -> int:
        """The port of this run or of the last one; 0 when there was none."""
        return int((self.instance.record.get("paymentsUrl") or ":0").rpartition(":")[2])

    @property
    def pid(self) -> int | None:
        """The process, if it runs and is ours."""
        pid = self.instance.record.get("paymentsPid")
        return pid if pid and f"payments --directory {self.instance.directory} " in command_line(pid) else None

    def start(self) -> bool:
        """Starts the server unless it runs as wanted; tells whether it did."""
        program = program_digest()
        if self.pid is not None:
            if self.instance.record.get("paymentsProgram") == program:
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
                url = f"http://127.0.0.1:{port}"
                self.instance.write(paymentsPid=self.process.pid, paymentsUrl=url, paymentsProgram=program)
                return True
        raise Failure("the payment provider does not start, see .souk/*/payments.log")

    def launch(self, port: int) -> None:
        with (self.instance.directory / "payments.log").open("a") as log:
            self.process = subprocess.Popen(
                [str(PYTHON), "-m", "payments", "--directory", str(self.instance.directory), "--port", str(port)],
                cwd=LOCALSTACK, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True,
                env={name: os.environ[name] for name in PASSED_ON if name in os.environ},
            )  # fmt: skip

    def answers(self, port: int) -> bool:
        """Waits until this very server answers: false when it has ended, for want of its port."""
        deadline = time.monotonic() + START_SECONDS
        while self.process.poll() is None:
            with suppress(OSError, ValueError):
                with urllib.request.urlopen(f"http://127.0.0.1:{port}{HEALTH}", timeout=1) as response:
                    if json.load(response) == {"pid": self.process.pid}:  # not another that has the port
                        return True
            if time.monotonic() > deadline:
                raise Failure(f"the payment provider did not answer within {START_SECONDS} s, see .souk/*/payments.log")
            time.sleep(0.02)
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
            self.instance.write(paymentsPid=None)


def program_digest() -> str:
    """Changes when the server must be started anew to run what the project holds."""
    files = sorted((LOCALSTACK / "payments").glob("*.py"))
    return hashlib.sha256(b"\0".join(file.read_bytes() for file in files)).hexdigest()
