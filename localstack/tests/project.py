"""A small project for the tests of the commands; its cargo is a script."""

import json
import os
import shutil
import subprocess
import sys
import tempfile
import unittest
import urllib.request
from pathlib import Path

from run import cache
from tests.harness import HERE, lay_out_function

PROJECT = HERE.parents[1]
CARGO = """#!/bin/sh
# Stands in for cargo: "builds" the one program, or does what the file beside the manifest says.
test ! -e fail || { echo "error: it does not compile" >&2; exit 101; }
while test -e wait; do touch waiting; sleep 0.05; done
test ! -e hang || { : > hanging; exec sleep 60; }
echo '{"reason":"compiler-artifact","target":{"name":"answer"},"executable":"'"$PWD"'/built/bootstrap"}'
echo '{"reason":"compiler-artifact","target":{"name":"other"},"executable":"'"$PWD"'/built-other/bootstrap"}'
"""
FUNCTION = """
  %s:
    Type: AWS::Serverless::Function
    Properties:
      CodeUri: target/lambda/%s/
      Runtime: provided.al2023
      Handler: bootstrap
      Environment:
        Variables: {CACHE_URL: !Ref CacheUrl, PAYMENTS_URL: !Ref PaymentsUrl, SECRET_KEY: !Ref StripeSecretKey}
      Events:
        Route: {Type: HttpApi, Properties: {ApiId: !Ref Api, Method: GET, Path: /%s}}
"""
TEMPLATE = """
Transform: AWS::Serverless-2016-10-31
Parameters:
  Broken: {Type: String, Default: ""}
  Flavour: {Type: String, Default: sweet, AllowedValues: [sweet, sour]}
  Minutes: {Type: Number, Default: 5, MinValue: 2, MaxValue: 60}
  CacheUrl: {Type: String, Default: ""}
  PaymentsUrl: {Type: String, Default: ""}
  StripeSecretKey: {Type: String, Default: "", NoEcho: true}
Conditions:
  IsBroken: !Not [!Equals [!Ref Broken, ""]]
Resources:
  Api: {Type: AWS::Serverless::HttpApi}
  Wrong:
    Type: AWS::ApiGatewayV2::Api
    Condition: IsBroken
    Properties: {Body: {info: {title: wrong}, paths: {/x: {get: {}}}}}
  Table:
    Type: AWS::DynamoDB::Table
    Properties:
      TableName: things-of-test
      BillingMode: PAY_PER_REQUEST
      AttributeDefinitions: [{AttributeName: pk, AttributeType: S}]
      KeySchema: [{AttributeName: pk, KeyType: HASH}]
Outputs:
  Api: {Value: !Ref Api}
"""


class Project(unittest.TestCase):
    """Tests of the commands, each with a copy of this folder and a small template."""

    @classmethod
    def setUpClass(cls):
        cache.program()  # into the project's own .souk, which the copies share

    def setUp(self):
        self.root = Path(os.path.realpath(tempfile.mkdtemp(prefix="souk-test-")))
        self.addCleanup(shutil.rmtree, self.root, ignore_errors=True)
        copied = shutil.ignore_patterns("__pycache__", "tests", "demo")
        shutil.copytree(HERE.parent, self.root / "localstack", ignore=copied)
        (self.root / ".souk").mkdir()
        for shared in ("venv", "redis"):
            (self.root / ".souk" / shared).symlink_to(PROJECT / ".souk" / shared)
        (self.root / "template.yaml").write_text(
            TEMPLATE.replace("Resources:", "Resources:" + FUNCTION % ("Answer", "answer", "a")
                             + FUNCTION % ("Other", "other", "b"))
        )  # fmt: skip
        for name, folder in (("answer", "built"), ("other", "built-other")):
            lay_out_function(self.root / folder)
            manifest = self.root / "functions" / name / "Cargo.toml"
            manifest.parent.mkdir(parents=True)
            manifest.touch()
        self.bin = self.root / "bin"
        self.bin.mkdir()
        (self.bin / "cargo").write_text(CARGO)
        (self.bin / "cargo").chmod(0o755)
        self.addCleanup(self.command, "down")

    def command(self, name: str, *options: str, path: str | None = None):
        # Kafka and ClickHouse have tests of their own, and the copy has no tables for ClickHouse.
        options = ("--no-events", *options) if name == "up" else options
        return subprocess.run(
            [sys.executable, str(self.root / "localstack" / name), *options],
            capture_output=True, text=True, timeout=120, check=False,
            env={**os.environ, "PATH": path or f"{self.bin}:{os.environ['PATH']}"},
        )  # fmt: skip

    def up(self, *options: str):
        result = self.command("up", "--port", "0", *options)
        self.assertEqual(result.returncode, 0, result.stderr)
        return result

    def refused(self, *options: str, path: str | None = None) -> str:
        """The one line that `up` prints when it fails."""
        lines = self.faults(*options, path=path)
        self.assertEqual(len(lines), 1, lines)
        return lines[0]

    def faults(self, *options: str, path: str | None = None) -> list[str]:
        """The lines that `up` prints when it fails."""
        result = self.command("up", *(options or ("--port", "0")), path=path)
        self.assertEqual(result.returncode, 1, result.stdout)
        self.assertNotIn("Traceback", result.stderr)
        return [line for line in result.stderr.splitlines() if line.startswith("localstack/up: ")]

    def record(self, name: str = "local") -> dict:
        return json.loads((self.root / ".souk" / name / "instance.json").read_text())

    def get(self, path: str) -> dict:
        with urllib.request.urlopen(self.record()["baseUrl"] + path) as response:
            return json.load(response)

    def assert_nothing_runs(self) -> None:
        for folder in Path("/proc").glob("[0-9]*") if Path("/proc/self").exists() else ():
            try:
                words = (folder / "cmdline").read_bytes()
            except OSError:
                continue
            running = str(self.root / ".souk").encode() in words and str(os.getpid()) != folder.name
            self.assertFalse(running, words)
        self.assertEqual(self.command("url").returncode, 1)
