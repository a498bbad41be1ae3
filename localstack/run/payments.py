"""The payment provider of an instance: a server on 127.0.0.1 that answers as Stripe's test mode does."""

import hashlib
import json
import os
import urllib.request

from payments.webhooks import SECRET as WEBHOOK_SECRET
from run.environment import PYTHON
from run.instance import PASSED_ON
from run.project import LOCALSTACK
from run.server import Server

HEALTH = "/_souk/health"
SECRET_KEY = "sk_test_local"  # Stripe's keys are longer; the server accepts any key with this prefix


class Payments(Server):
    name, title = "payments", "payment provider"

    def words(self, port: int) -> list[str]:
        return [str(PYTHON), "-m", "payments", "--directory", str(self.instance.directory), "--port", str(port)]

    def settings(self) -> dict:
        return {"cwd": LOCALSTACK, "env": {name: os.environ[name] for name in PASSED_ON if name in os.environ}}

    def about(self) -> dict:
        files = sorted((LOCALSTACK / "payments").glob("*.py"))
        return {"paymentsProgram": hashlib.sha256(b"\0".join(file.read_bytes() for file in files)).hexdigest()}

    def mark(self) -> str:
        return f"payments --directory {self.instance.directory} "

    def greets(self, port: int) -> bool:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{HEALTH}", timeout=1) as response:
            return json.load(response) == {"pid": self.process.pid}
