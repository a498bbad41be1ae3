"""emulator/access.py: a role for the partitions `USER#…` of a table, the executions of one machine and the brokers of one
cluster."""

import json
import uuid

import boto3
from botocore.exceptions import ClientError

from tests.harness import Case

CLUSTER = "arn:aws:kafka:us-east-1:000000000000:cluster/own/0f0e0d0c-0b0a-4908-8706-050403020100-2"


def execution_of(machine: str, name: str) -> str:
    return f"{machine.replace(':stateMachine:', ':execution:')}:{name}"


class Roles(Case):
    def setUp(self):
        self.table = self.system.outputs["Table"]
        iam, name = self.system.client("iam"), f"role-{uuid.uuid4().hex[:8]}"
        statement = {"Effect": "Allow", "Principal": {"AWS": "*"}, "Action": "sts:AssumeRole"}
        role = iam.create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps({"Statement": [statement]}))
        table = self.system.client("dynamodb").describe_table(TableName=self.table)["Table"]["TableArn"]
        allowed = {
            "Effect": "Allow",
            "Action": ["dynamodb:PutItem", "dynamodb:GetItem", "dynamodb:Query", "dynamodb:Scan"],
            "Resource": table,
            "Condition": {
                "Null": {"dynamodb:LeadingKeys": "false"},
                "ForAllValues:StringLike": {"dynamodb:LeadingKeys": ["USER#*"]},
            },
        }
        seen = {
            "Effect": "Allow",
            "Action": "states:DescribeExecution",
            "Resource": execution_of(self.system.outputs["Saga"], "*"),
        }
        brokers = {"Effect": "Allow", "Action": "kafka:GetBootstrapBrokers", "Resource": CLUSTER}
        iam.put_role_policy(RoleName=name, PolicyName="own", PolicyDocument=json.dumps({"Statement": [allowed, brokers]}))
        base = iam.create_policy(PolicyName=name, PolicyDocument=json.dumps({"Statement": [seen]}))["Policy"]["Arn"]
        iam.attach_role_policy(RoleName=name, PolicyArn=base)
        keys = self.system.client("sts").assume_role(RoleArn=role["Role"]["Arn"], RoleSessionName="test")["Credentials"]
        session = boto3.Session(
            keys["AccessKeyId"], keys["SecretAccessKey"], keys["SessionToken"], region_name="us-east-1"
        )
        endpoint = self.system.instance.record["endpointUrl"]
        self.role = name
        self.dynamodb = session.client("dynamodb", endpoint_url=endpoint)
        self.stepfunctions = session.client("stepfunctions", endpoint_url=endpoint)
        self.kafka = session.client("kafka", endpoint_url=endpoint)

    def put(self, *keys: str):
        items = [{"Put": {"TableName": self.table, "Item": {"pk": {"S": key}}}} for key in keys]
        if len(items) == 1:
            return self.dynamodb.put_item(**items[0]["Put"])
        return self.dynamodb.transact_write_items(TransactItems=items)

    def query(self, key: str):
        return self.dynamodb.query(
            TableName=self.table,
            KeyConditionExpression="#pk = :pk",
            ExpressionAttributeNames={"#pk": "pk"},
            ExpressionAttributeValues={":pk": {"S": key}},
        )

    def refused(self, call, *arguments):
        with self.assertRaises(ClientError) as caught:
            call(*arguments)
        self.assertEqual(caught.exception.response["Error"]["Code"], "AccessDeniedException")

    def test_what_the_role_allows(self):
        self.put("USER#1")
        self.put("USER#1", "USER#2")
        self.assertEqual(self.query("USER#1")["Count"], 1)

    def test_another_partition(self):
        self.refused(self.put, "PRODUCT#1")
        self.refused(self.put, "USER#1", "PRODUCT#1")
        self.refused(self.query, "PRODUCT#1")

    def test_no_partition(self):
        self.refused(lambda: self.dynamodb.scan(TableName=self.table))

    def test_another_action(self):
        key = {"pk": {"S": "USER#1"}}
        self.refused(lambda: self.dynamodb.delete_item(TableName=self.table, Key=key))

    def test_executions_of_one_machine(self):
        with self.assertRaises(self.stepfunctions.exceptions.ExecutionDoesNotExist):
            self.stepfunctions.describe_execution(executionArn=execution_of(self.system.outputs["Saga"], "none"))
        with self.assertRaisesRegex(ClientError, "AccessDenied"):
            self.stepfunctions.describe_execution(executionArn=execution_of(self.system.outputs["Machine"], "none"))

    def test_brokers_of_one_cluster(self):
        self.assertIn("BootstrapBrokerString", self.kafka.get_bootstrap_brokers(ClusterArn=CLUSTER))
        self.refused(lambda: self.kafka.get_bootstrap_brokers(ClusterArn=CLUSTER.replace("/own/", "/other/")))

    def uses(self) -> list[tuple]:
        """What was recorded of the role: actions, the last parts of resources, leading keys."""
        lines = (self.system.instance.directory / "grants.jsonl").read_text().splitlines()
        uses = [use for use in map(json.loads, lines) if use["role"] == self.role]
        return sorted((use["action"], use["resource"].split("/")[-1], use["key"]) for use in uses)

    def test_each_use_of_a_role_is_recorded_once(self):
        for key in ("USER#1", "USER#2"):
            self.put(key)
            self.query(key)
        self.put("USER#1", "USER#3")
        self.refused(self.put, "PRODUCT#1")
        for name in ("none", "nobody"):
            with self.assertRaises(self.stepfunctions.exceptions.ExecutionDoesNotExist):
                self.stepfunctions.describe_execution(executionArn=execution_of(self.system.outputs["Saga"], name))
        self.assertEqual(
            self.uses(),
            [
                ("dynamodb:PutItem", self.table, "USER#"),
                ("dynamodb:Query", self.table, "USER#"),
                ("states:DescribeExecution", execution_of(self.system.outputs["Saga"], "*"), None),
            ],
        )
