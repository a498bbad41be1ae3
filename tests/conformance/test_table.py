"""The table tests against Amazon's DynamoDB Local. README.md lists those that fail there, and why."""

import os
import re
import subprocess
import unittest
from pathlib import Path

from dynamodb import DynamodbLocal

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
# A row of the list of differences: the names of tests in code, divided by commas, and what differs.
ROW = re.compile(r"^\| (`\w+::\w+`(?:, `\w+::\w+`)*) \|", re.MULTILINE)
# `test concert::a_test ... ok`
RESULT = re.compile(r"^test (\S+) \.\.\. (ok|FAILED)$", re.MULTILINE)
# In per cent: a history takes twenty times as long as with the engine in the process.
HISTORIES = "5"


def differences() -> set[str]:
    rows = ROW.findall((HERE / "README.md").read_text())
    return {name.strip("` ") for row in rows for name in row.split(",")}


class Table(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.server = DynamodbLocal.started()
        cls.addClassCleanup(cls.server.remove)

    def test_the_table_tests_pass_but_those_of_which_readme_says_why_they_do_not(self):
        words = ["cargo", "test", "--locked", "--workspace", "--test", "table", "--no-fail-fast"]
        settings = {**os.environ, "SOUK_DYNAMODB_LOCAL": self.server.address, "SOUK_HISTORIES": os.environ.get("SOUK_HISTORIES", HISTORIES)}
        done = subprocess.run(words, cwd=ROOT, env=settings, stdout=subprocess.PIPE, text=True, check=False)
        results = dict(RESULT.findall(done.stdout))
        failed = {name for name, result in results.items() if result == "FAILED"}
        self.assertTrue(results, done.stdout)
        self.assertEqual(sorted(failed), sorted(differences()), done.stdout)
        print(f"{len(results) - len(failed)} table tests pass with DynamoDB Local, and {len(failed)} do not")
