"""ministack without corrections: each fault that a correction removes still exists.

If a test fails here after an update of ministack, the correction is no longer needed and can be deleted.
"""

import json
import os
import subprocess
import time
import unittest
import urllib.error
import urllib.request

from ministack.core import iam_actions
from ministack.services import dynamodb

from run.environment import PYTHON
from tests.harness import System


class Stock(System):
    """The emulator without our corrections. It has one port and no persistence."""

    def start(self) -> None:
        from emulator.__main__ import listen

        with listen(0) as free:
            port = free.getsockname()[1]
        endpoint = f"http://127.0.0.1:{port}"
        self.server = subprocess.Popen(
            [str(PYTHON.parent / "ministack")],
            env={
                "PATH": os.environ["PATH"], "HOME": str(self.folder), "TMPDIR": str(self.folder),
                "BIND_HOST": "127.0.0.1", "GATEWAY_PORT": str(port), "AWS_ENDPOINT_URL": endpoint,
                "IOT_MTLS_ENABLED": "0", "SFTP_ENABLED": "0",
            },
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        for _ in range(500):
            try:
                urllib.request.urlopen(endpoint + "/_ministack/health").close()
                break
            except OSError:
                time.sleep(0.02)
        self.instance.directory.mkdir(parents=True)
        self.instance.write(endpointUrl=endpoint)

    def remove(self) -> None:
        self.server.kill()
        self.server.wait()
        super().remove()


class Faults(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.system = Stock("stock")
        cls.addClassCleanup(cls.system.remove)

    def invoke(self, event: dict) -> dict:
        answer = self.system.client("lambda").invoke(
            FunctionName=self.system.outputs["AnswerFunction"], Payload=json.dumps(event)
        )
        return json.load(answer["Payload"])

    def test_openapi(self):
        gateway = self.system.client("apigatewayv2")
        api = gateway.get_apis()["Items"][0]["ApiId"]
        self.assertEqual(gateway.get_routes(ApiId=api)["Items"], [])

    def test_gateway(self):
        gateway = self.system.client("apigatewayv2")
        api = gateway.create_api(Name="tried", ProtocolType="HTTP")["ApiId"]
        gateway.create_stage(ApiId=api, StageName="$default")
        function = self.system.client("lambda").get_function(FunctionName=self.system.outputs["AnswerFunction"])
        integration = gateway.create_integration(
            ApiId=api, IntegrationType="AWS_PROXY", PayloadFormatVersion="2.0",
            IntegrationUri=function["Configuration"]["FunctionArn"],
        )["IntegrationId"]  # fmt: skip
        gateway.create_route(ApiId=api, RouteKey="$default", Target=f"integrations/{integration}")
        statuses = {}
        for method, path in (("GET", "/fail"), ("OPTIONS", "/things/1")):
            request = urllib.request.Request(self.system.instance.record["endpointUrl"] + path, method=method)
            request.add_header("Host", f"{api}.execute-api.localhost")
            try:
                with urllib.request.urlopen(request) as response:
                    statuses[method] = response.status
            except urllib.error.HTTPError as error:
                statuses[method] = error.code
        self.assertEqual(statuses, {"GET": 502, "OPTIONS": 403})

    def test_functions(self):
        self.invoke({"do": "warm"})
        times = []
        for _ in range(5):
            begun = time.perf_counter()
            self.invoke({"do": "measure"})
            times.append(time.perf_counter() - begun)
        self.assertGreater(min(times), 0.04)
        event = {"rawPath": "/things/1", "requestContext": {}}
        seen = json.loads(self.invoke(event)["body"])["process"]["environment"]
        self.assertIn("HOME", seen)

    def test_logs(self):
        self.invoke({"do": "print a metric"})
        self.assertEqual(self.system.client("cloudwatch").list_metrics(Namespace="Test")["Metrics"], [])

    def test_queues(self):
        sqs, queue = self.system.client("sqs"), self.system.outputs["BulkFailures"]
        sqs.send_message(QueueUrl=queue, MessageBody="waiting")
        time.sleep(1)
        self.assertEqual(self.system.client("cloudwatch").list_metrics(Namespace="AWS/SQS")["Metrics"], [])

    def test_secrets(self):
        secret = self.system.outputs["Secret"]
        value = self.system.client("secretsmanager").get_secret_value(SecretId=secret)["SecretString"]
        self.assertFalse(value.isalnum())
        self.assertFalse(secret.startswith("arn:"))

    def test_states(self):
        client, machine = self.system.client("stepfunctions"), self.system.outputs["Machine"]
        started = client.start_execution(stateMachineArn=machine, name="one", input='{"do": "nothing"}')
        with self.assertRaises(client.exceptions.ExecutionAlreadyExists):
            client.start_execution(stateMachineArn=machine, name="one", input='{"do": "nothing"}')
        for _ in range(200):
            execution = client.describe_execution(executionArn=started["executionArn"])
            if execution["status"] != "RUNNING":
                break
            time.sleep(0.05)
        self.assertEqual(json.loads(execution["output"]), {"do": "nothing", "done": True})

    def test_streams(self):
        client, table = self.system.client("dynamodb"), self.system.outputs["Table"]
        for key, fail in (("take-poison", "error"), ("take-behind", "")):
            client.put_item(TableName=table, Item={"pk": {"S": key}, "fail": {"S": fail}})
            time.sleep(0.5)  # not in one batch
        time.sleep(6)
        seen = [note["record"] for note in self.system.notes("record")]
        self.assertGreater(seen.count("take-poison"), 3)  # more often than MaximumRetryAttempts allows
        self.assertNotIn("take-behind", seen)

    def test_access(self):
        self.assertNotIn("dynamodb:LeadingKeys", iam_actions.dynamodb_service_context(b'{"Key": {"pk": {"S": "a"}}}'))

    def test_dynamodb(self):
        self.assertFalse([key for key in dynamodb.get_state() if "stream" in key.lower()])
