"""`up`, `down` and `url`, in a project of their own whose cargo is a script."""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import unittest
import urllib.request
from pathlib import Path

from tests.harness import HERE, lay_out_function

PROJECT = HERE.parents[1]
CARGO = """#!/bin/sh
# Stands in for cargo: "builds" the one program, or does what the file beside the manifest says.
test ! -e fail || { echo "error: it does not compile" >&2; exit 101; }
test ! -e hang || { touch hanging; sleep 60; }
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
      Events:
        Route: {Type: HttpApi, Properties: {ApiId: !Ref Api, Method: GET, Path: /%s}}
"""
TEMPLATE = """
Transform: AWS::Serverless-2016-10-31
Parameters:
  Broken: {Type: String, Default: ""}
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


class Commands(unittest.TestCase):
    def setUp(self):
        self.root = Path(os.path.realpath(tempfile.mkdtemp(prefix="souk-test-")))
        self.addCleanup(shutil.rmtree, self.root, ignore_errors=True)
        copied = shutil.ignore_patterns("__pycache__", "tests", "demo")
        shutil.copytree(HERE.parent, self.root / "localstack", ignore=copied)
        (self.root / ".souk").mkdir()
        (self.root / ".souk" / "venv").symlink_to(PROJECT / ".souk" / "venv")
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
        """The one line that `up` ends with when it cannot do its work."""
        result = self.command("up", *(options or ("--port", "0")), path=path)
        self.assertEqual(result.returncode, 1, result.stdout)
        own = [line for line in result.stderr.splitlines() if line.startswith("localstack/up: ")]
        self.assertEqual(len(own), 1, result.stderr)
        self.assertNotIn("Traceback", result.stderr)
        return own[0]

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

    def test_up_url_down(self):
        out = self.up().stdout
        base = self.record()["baseUrl"]
        self.assertEqual(self.command("url").stdout, base + "\n")
        self.assertEqual(out[out.index(f"\n{base}\n") :].count("\ncurl "), 3)
        self.assertEqual(self.get("/a")["event"]["routeKey"], "GET /a")
        self.assertEqual(self.record()["outputs"].keys(), {"Api"})
        self.assertEqual(self.command("down").returncode, 0)
        self.assert_nothing_runs()
        self.assertEqual(self.command("down").returncode, 0)

    def test_a_second_up_is_quick_and_deploys_only_what_changed(self):
        self.up()
        answer, other = self.get("/a")["process"]["pid"], self.get("/b")["process"]["pid"]
        begun = time.monotonic()
        self.assertNotIn("deploying", self.up().stdout)
        self.assertLess(time.monotonic() - begun, 10)
        program = self.root / "built" / "bootstrap"
        program.write_text(program.read_text() + "\n# changed\n")
        self.assertIn("deploying", self.up().stdout)
        self.assertNotEqual(self.get("/a")["process"]["pid"], answer)
        self.assertEqual(self.get("/b")["process"]["pid"], other)

    def test_data_outlives_down_but_not_fresh(self):
        import boto3

        def items():
            table = boto3.resource(
                "dynamodb", endpoint_url=self.record()["endpointUrl"], region_name="us-east-1",
                aws_access_key_id="test", aws_secret_access_key="test",
            ).Table("things-of-test")  # fmt: skip
            return table

        self.up()
        items().put_item(Item={"pk": "kept"})
        self.command("down")
        self.assertNotIn("deploying", self.up().stdout)
        self.assertIn("Item", items().get_item(Key={"pk": "kept"}))
        self.assertEqual(self.get("/a")["event"]["routeKey"], "GET /a")
        self.up("--fresh")
        self.assertNotIn("Item", items().get_item(Key={"pk": "kept"}))

    def test_two_instances(self):
        self.addCleanup(self.command, "down", "--name", "second")
        self.up()
        self.up("--name", "second", "--no-build", "--parameter", "Broken=")
        self.assertNotEqual(self.record()["baseUrl"], self.record("second")["baseUrl"])
        self.command("down")
        self.assertEqual(self.command("url", "--name", "second").returncode, 0)

    def test_a_port_that_is_taken(self):
        with socket.create_server(("127.0.0.1", 0)) as taken:
            port = taken.getsockname()[1]
            self.assertIn(f"port {port}", self.refused("--port", str(port)))
        self.assert_nothing_runs()

    def test_missing_tools(self):
        tools = self.root / "tools"
        tools.mkdir()
        self.assertIn("cargo is missing", self.refused(path=str(tools)))
        shutil.copy(self.bin / "cargo", tools)
        self.assertIn("cc is missing", self.refused(path=str(tools)))
        self.assert_nothing_runs()

    def test_a_failed_build(self):
        (self.root / "fail").touch()
        self.assertIn("the build failed", self.refused())
        self.assert_nothing_runs()

    def test_a_failed_deployment(self):
        self.assertIn("Wrong", self.refused("--port", "0", "--parameter", "Broken=yes"))
        self.assert_nothing_runs()

    def test_a_failed_deployment_leaves_a_running_system_as_it_was(self):
        self.up()
        pid = self.record()["pid"]
        self.assertIn("Wrong", self.refused("--port", "0", "--parameter", "Broken=yes"))
        self.assertEqual(self.record()["pid"], pid)
        self.assertEqual(self.get("/a")["event"]["routeKey"], "GET /a")
        self.up()
        self.assertEqual(self.get("/b")["event"]["routeKey"], "GET /b")

    def test_interruption(self):
        (self.root / "hang").touch()
        process = subprocess.Popen(
            [sys.executable, str(self.root / "localstack" / "up"), "--port", "0"],
            env={**os.environ, "PATH": f"{self.bin}:{os.environ['PATH']}"},
            stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, start_new_session=True,
        )  # fmt: skip
        while not (self.root / "hanging").exists():
            self.assertIsNone(process.poll())
            time.sleep(0.05)
        os.killpg(process.pid, signal.SIGINT)  # as a terminal does
        self.assertIn("localstack/up: interrupted", process.communicate(timeout=60)[1])
        self.assertEqual(process.returncode, 130)
        self.assert_nothing_runs()

    def test_a_parameter_without_a_value(self):
        result = self.command("up", "--parameter", "Broken")
        self.assertEqual(result.returncode, 2)
        self.assertIn("KEY=VALUE", result.stderr)
