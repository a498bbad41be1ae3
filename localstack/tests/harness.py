"""An emulator for the tests: on free ports, in its own folder, with the template and the function beside this file."""

import atexit
import http.client
import json
import os
import shutil
import sys
import tempfile
import time
import unittest
import urllib.request
from pathlib import Path
from urllib.parse import urlsplit

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))

import boto3  # noqa: E402

from run import deploy  # noqa: E402
from run.instance import Instance  # noqa: E402

PATIENCE_SECONDS = 20


class System:
    """A running emulator with the test template deployed."""

    def __init__(self, name: str):
        self.folder = Path(tempfile.mkdtemp(prefix="souk-test-"))
        self.notes_file = self.folder / "notes" / "notes"
        self.notes_file.parent.mkdir()
        lay_out_function(self.folder / "function")
        for file in ("template.yaml", "machine.asl.json", "saga.asl.json"):
            shutil.copy(HERE / file, self.folder)
        self.clients: dict = {}
        self.session = boto3.Session(aws_access_key_id="test", aws_secret_access_key="test", region_name="us-east-1")
        self.instance = Instance(f"test-{name}-{os.getpid()}")
        atexit.register(self.remove)
        self.start()
        self.deploy()

    def start(self) -> None:
        self.instance.start(0, 0)

    def deploy(self, **parameters: str) -> None:
        values = {"Notes": str(self.notes_file.parent), **parameters}
        deploy.deploy(self.instance, values, self.folder / "template.yaml")

    def remove(self) -> None:
        self.instance.stop()
        self.instance.forget()
        shutil.rmtree(self.folder, ignore_errors=True)

    @property
    def outputs(self) -> dict[str, str]:
        return self.instance.record["outputs"]

    def client(self, service: str):
        endpoint = self.instance.record["endpointUrl"]
        if (service, endpoint) not in self.clients:
            self.clients[service, endpoint] = self.session.client(service, endpoint_url=endpoint)
        return self.clients[service, endpoint]

    def request(self, method: str, path: str, body=None, headers=None, source="127.0.0.1"):
        """(status, headers, body) of one request to the API's port; `headers` may be a list of pairs."""
        address = urlsplit(self.instance.record["baseUrl"])
        connection = http.client.HTTPConnection(address.hostname, address.port, timeout=60, source_address=(source, 0))
        try:
            connection.putrequest(method, path, skip_accept_encoding=True)
            for name, value in headers.items() if isinstance(headers, dict) else headers or []:
                connection.putheader(name, value)
            if body is not None:
                connection.putheader("content-length", str(len(body)))
            connection.endheaders(body)
            response = connection.getresponse()
            return response.status, response.headers, response.read()
        finally:
            connection.close()

    def event(self, method: str, path: str, **options) -> dict:
        """The event that the function got for a request."""
        status, _headers, body = self.request(method, path, **options)
        if status != 200:
            raise AssertionError(f"{method} {path}: {status} {body[:500]!r}")
        return json.loads(body)["event"]

    def control(self, method: str, path: str, document=None):
        """A call for tests on the AWS API's port: `control("PUT", "faults", [rules])`."""
        body = None if document is None else json.dumps(document).encode()
        request = urllib.request.Request(f"{self.instance.record['endpointUrl']}/_souk/{path}", body, method=method)
        with urllib.request.urlopen(request, timeout=60) as response:
            return json.load(response)

    def notes(self, member: str) -> list[dict]:
        """The invocations that the test function recorded, in order."""
        if not self.notes_file.exists():
            return []
        # A function may be writing the last line.
        whole, _, _ = self.notes_file.read_text().rpartition("\n")
        return [note for line in whole.splitlines() if member in (note := json.loads(line))]


def lay_out_function(folder: Path) -> None:
    """The test function, run by this interpreter: searching for another one would slow down each start."""
    folder.mkdir(parents=True)
    _shebang, _newline, program = (HERE / "function" / "bootstrap").read_text().partition("\n")
    (folder / "bootstrap").write_text(f"#!{os.path.realpath(sys.executable)}\n{program}")
    (folder / "bootstrap").chmod(0o755)


_shared: System | None = None


class Case(unittest.TestCase):
    """Tests that share one emulator and leave its state unchanged."""

    @property
    def system(self) -> System:
        global _shared
        if _shared is None:
            _shared = System("shared")
        return _shared

    def eventually(self, find, complaint: str):
        """Waits for the first true value of `find()`."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not (found := find()):
            if time.monotonic() > deadline:
                self.fail(f"{complaint} within {PATIENCE_SECONDS} s")
            time.sleep(0.02)
        return found
