"""run/module.py: the servers beside the emulator that are Python packages of this folder."""

import ast
import unittest
from pathlib import Path

from run.clickhouse import ClickHouse
from run.instance import Instance
from run.module import Module
from run.payments import Payments
from run.project import LOCALSTACK
from run.shop import Shop


def imported(file: Path) -> set[Path]:
    """The files of this folder that a file imports."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            names |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    files = {LOCALSTACK / f"{name.replace('.', '/')}.py" for name in names}
    return {each for each in files if each.exists()}


def missing(server: Module) -> set[Path]:
    """The files that the server consists of and that `files` does not name."""
    found, left = set(), [LOCALSTACK / server.name / "__main__.py"]
    while left:
        file = left.pop()
        if file not in found:
            found.add(file)
            left += imported(file)
    return found - set(server.files())


class Modules(unittest.TestCase):
    def test_a_server_is_restarted_when_any_file_of_its_program_changes(self):
        for kind in (Payments, Shop, ClickHouse):
            self.assertEqual(missing(kind(Instance("test-modules"))), set(), kind.name)

    def test_a_file_that_is_forgotten_is_found(self):
        class Forgetful(ClickHouse):
            def files(self) -> list[Path]:
                return Module.files(self)

        self.assertEqual(missing(Forgetful(Instance("test-modules"))), {LOCALSTACK / "shop" / "faults.py"})
