"""`up`, `down` and `url`."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from contextlib import suppress

from run import environment
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

        def ses():
            return boto3.client(
                "sesv2", endpoint_url=self.record()["endpointUrl"], region_name="us-east-1",
                aws_access_key_id="test", aws_secret_access_key="test",
            )  # fmt: skip

        def addresses():
            return [self.record().get(name) for name in ("cacheUrl", "paymentsUrl", "shopUrl")]

        self.up()
        items().put_item(Item={"pk": "kept"})
        content = {"Subject": {"Data": "Hello"}, "Body": {"Text": {"Data": "First\nSecond\n"}}}
        for address in ("Ada@example.com", "bob@example.com"):
            ses().send_email(
                FromEmailAddress="souk@example.com", Destination={"ToAddresses": [address]}, Content={"Simple": content}
            )
        before = addresses()
        self.command("down")
        # Only a port that somebody has taken in the meantime changes what is deployed.
        self.assertEqual("deploying" in self.up().stdout, addresses() != before)
        self.assertIn("Item", items().get_item(Key={"pk": "kept"}))
        mail = self.command("mail", "--to", "ada@example.com").stdout
        self.assertIn("From: souk@example.com\nTo: Ada@example.com\nSubject: Hello\n\nFirst\nSecond\n", mail)
        self.assertNotIn("bob@", mail)
        self.assertIn("bob@", self.command("mail").stdout)
        self.assertEqual(self.get("/a")["event"]["routeKey"], "GET /a")
        self.up("--fresh")
        self.assertNotIn("Item", items().get_item(Key={"pk": "kept"}))
        self.assertEqual(self.command("mail").stdout, "")

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

    def test_a_port_that_cannot_be(self):
        self.assert_unusable("--port 65535: not from 0 to 65534", "up", "--port", "65535")

    def test_what_does_not_run_is_told_by_its_name(self):
        for command in (["url"], ["mail"], ["metrics"], ["processes", "answer"]):
            for name, start in (("local", "localstack/up"), ("nope", "localstack/up --name nope")):
                result = self.command(*command, "--name", name)
                self.assertEqual(result.returncode, 1)
                wanted = f"localstack/{command[0]}: {name} is not running; start it with {start}\n"
                self.assertEqual(result.stderr, wanted)

    def test_a_second_up_of_the_same_instance_waits_for_the_first(self):
        (self.root / "wait").touch()
        first = self.start_up("--port", "0")
        self.await_file("waiting", first)
        second = self.start_up("--port", "0")
        lines = iter(second.stdout)
        self.assertEqual(next(lines), "localstack: waiting for another localstack/up\n")
        (self.root / "wait").unlink()
        self.assertEqual(first.wait(timeout=60), 0)
        rest = "".join(lines)
        self.assertEqual(second.wait(timeout=60), 0)
        self.assertNotIn("deploying", rest)
        self.assertIn(self.record()["baseUrl"], rest)

    def test_an_older_python(self):
        for command in ("up", "down", "url", "mail", "metrics", "processes"):
            old = "import runpy, sys; sys.version_info = (3, 9, 18); runpy.run_path(sys.argv[1], run_name='__main__')"
            words = [sys.executable, "-c", old, str(self.root / "localstack" / command)]
            result = subprocess.run(words, capture_output=True, text=True, timeout=60, check=False)
            self.assertEqual(result.returncode, 1)
            wanted = f"localstack/{command}: needs Python 3.11 or later as python3, found 3.9\n"
            self.assertEqual(result.stderr, wanted)

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
        # A shell that runs the tests in the background ignores SIGINT, and the command would inherit that.
        self.addCleanup(signal.signal, signal.SIGINT, signal.signal(signal.SIGINT, signal.default_int_handler))
        (self.root / "hang").touch()
        process = self.start_up("--port", "0")
        self.await_file("hanging", process)
        os.killpg(process.pid, signal.SIGINT)  # as a terminal does
        self.assertIn("localstack/up: interrupted", process.communicate(timeout=60)[1])
        self.assertEqual(process.returncode, 130)
        self.assert_nothing_runs()

    def test_a_parameter_without_a_value_or_with_two(self):
        for words, complaint in (
            (["--parameter", "Broken"], "--parameter Broken: not of the form KEY=VALUE"),
            (["--parameter", "Minutes=2", "--parameter", "Minutes=3"], "--parameter Minutes is given twice"),
        ):
            self.assert_unusable(complaint, "up", *words)

    def test_an_option_that_a_command_does_not_have(self):
        for command in (["up"], ["down"], ["url"], ["mail"], ["metrics"], ["processes", "answer"]):
            self.assert_unusable("unrecognized arguments: --colour", *command, "--colour")

    def test_faulty_parameters_are_refused_while_another_up_runs(self):
        with environment.locked(self.root / ".souk" / "local.lock"):
            self.assertIn("[Foo] do not exist in the template", self.refused("--parameter", "Foo=1"))

    def test_parameters_that_the_template_does_not_take(self):
        wrong = [word for each in ("Foo=1", "Flavour=bitter", "Minutes=1") for word in ("--parameter", each)]
        lines = self.faults("--port", "0", *wrong)
        self.assertEqual(
            lines,
            ["localstack/up: Parameters: [Foo] do not exist in the template",
             "localstack/up: Parameter 'Flavour' must be one of sweet, sour",
             "localstack/up: Parameter 'Minutes' must be a number not less than 2"],
        )  # fmt: skip
        self.assertFalse((self.root / ".souk" / "local").exists())
        self.up("--parameter", "Flavour=sour", "--parameter", "Minutes=2")
        self.assertEqual(self.record()["parameters"]["Flavour"], "sour")

    def test_the_environment_of_functions_that_run_elsewhere(self):
        def settings() -> dict[str, str]:
            text = (self.root / ".souk" / "local" / "lambda.env").read_text()
            return dict(line.split("=", 1) for line in text.splitlines())

        self.up()
        record = self.record()
        functions = {"CACHE_URL": record["cacheUrl"], "PAYMENTS_URL": record["paymentsUrl"]}
        functions["SECRET_KEY"] = record["parameters"]["StripeSecretKey"]
        credentials = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_REGION": "us-east-1"}
        expected = functions | credentials | {"AWS_ENDPOINT_URL": record["endpointUrl"]}
        self.assertEqual(settings(), expected)
        self.up("--no-cache")
        self.assertEqual(settings(), expected | {"CACHE_URL": ""})
        self.command("down")
        self.up("--port", str(free_ports()))
        self.assertEqual(settings()["AWS_ENDPOINT_URL"], self.record()["endpointUrl"])

    def assert_unusable(self, complaint: str, command: str, *options: str) -> None:
        """The command refuses its options in one line."""
        result = self.command(command, *options)
        self.assertEqual(result.returncode, 2)
        self.assertEqual(result.stderr, f"localstack/{command}: {complaint}; --help lists the options\n")

    def start_up(self, *options: str) -> subprocess.Popen:
        process = subprocess.Popen(
            [sys.executable, str(self.root / "localstack" / "up"), "--no-events", *options],
            env={**os.environ, "PATH": f"{self.bin}:{os.environ['PATH']}"},
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True,
        )  # fmt: skip
        self.addCleanup(process.stdout.close)
        self.addCleanup(process.stderr.close)
        return process

    def await_file(self, name: str, process: subprocess.Popen) -> None:
        while not (self.root / name).exists():
            self.assertIsNone(process.poll())
            time.sleep(0.05)


def free_ports() -> int:
    """A port that is free, as is the next one."""
    while True:
        with socket.create_server(("127.0.0.1", 0)) as first, suppress(OSError):
            port = first.getsockname()[1]
            with socket.create_server(("127.0.0.1", port + 1)):
                return port
