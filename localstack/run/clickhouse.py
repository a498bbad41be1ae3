"""ClickHouse of an instance: its engine behind an HTTP server on 127.0.0.1. Its data survives a restart."""

import os
import subprocess
import sys
from pathlib import Path

from clickhouse.account import PASSWORD, USER
from run.environment import prepare
from run.module import Module
from run.project import LOCALSTACK, SOUK, Failure

REQUIREMENTS = LOCALSTACK / "clickhouse" / "requirements.txt"
MIGRATE = LOCALSTACK.parent / "shared" / "analytics" / "migrate"
DATABASE = "souk"
START_SECONDS = 60  # the engine reads the data


class ClickHouse(Module):
    name, title = "clickhouse", "ClickHouse server"
    start_seconds = START_SECONDS

    def python(self) -> Path:
        # The package names pandas and pyarrow as requirements, which only its Python interface uses.
        message = "installing ClickHouse's engine into .souk/clickhouse-venv (once; 180 MB)"
        return prepare(SOUK / "clickhouse-venv", REQUIREMENTS, message, "--no-deps")

    def files(self) -> list[Path]:
        return [*super().files(), LOCALSTACK / "shop" / "faults.py"]  # its fault rules are those of the shop

    def start(self) -> bool:
        started = super().start()
        migrate(self.instance.record["clickhouseUrl"], USER, PASSWORD, DATABASE)
        return started

    def forget(self) -> None:
        self.stop()
        self.instance.write(clickhouseUrl=None)


def migrate(url: str, user: str, password: str, database: str) -> None:
    words = [sys.executable, str(MIGRATE), "--url", url, "--user", user, "--database", database]
    environment = os.environ | {"CLICKHOUSE_PASSWORD": password}
    if subprocess.run(words, env=environment, stdout=subprocess.DEVNULL, check=False).returncode:
        raise Failure("the tables of events could not be created, see above")
