"""`up`, `down` and `url`."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import time

from tests.project import Project


class Commands(Project):
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
