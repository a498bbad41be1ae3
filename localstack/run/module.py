"""A server beside the emulator that is a Python package of this folder, started as `python -m NAME`."""

import hashlib
import json
import os
import urllib.request
from pathlib import Path

from run.environment import PYTHON
from run.instance import PASSED_ON
from run.project import LOCALSTACK
from run.server import Server

HEALTH = "/_souk/health"


class Module(Server):
    """`name` is the package's."""

    def python(self) -> Path:
        """The interpreter that runs it."""
        return PYTHON

    def words(self, port: int) -> list[str]:
        return [str(self.python()), "-m", self.name, "--directory", str(self.instance.directory), "--port", str(port)]

    def settings(self) -> dict:
        return {"cwd": LOCALSTACK, "env": {name: os.environ[name] for name in PASSED_ON if name in os.environ}}

    def about(self) -> dict:
        digest = hashlib.sha256(b"\0".join(file.read_bytes() for file in self.files()))
        return {f"{self.name}Program": digest.hexdigest()}

    def files(self) -> list[Path]:
        """Its program: the server is restarted if one of them changes."""
        return [*sorted(LOCALSTACK.glob("*.py")), *sorted((LOCALSTACK / self.name).glob("*.py"))]

    def mark(self) -> str:
        return f"{self.name} --directory {self.instance.directory} "

    def greets(self, port: int) -> bool:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{HEALTH}", timeout=1) as response:
            return json.load(response) == {"pid": self.process.pid}
