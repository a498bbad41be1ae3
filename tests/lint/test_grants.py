"""A right that nothing used is found, and an exception that is none."""

import json
import re
import unittest

import grants

NAME = re.compile(r"\b[a-z]+(?:_[a-z]+){3,}\b")  # of a test
KEYS = {"ForAllValues:StringLike": {"dynamodb:LeadingKeys": ["USER#*", "SIGNING"]}}
TEMPLATE = {
    "Resources": {
        "AFunction": {"Type": "AWS::Serverless::Function", "Properties": {"Role": {"Fn::GetAtt": ["ARole", "Arn"]}}},
        "ARole": {
            "Type": "AWS::IAM::Role",
            "Properties": {
                "ManagedPolicyArns": [{"Fn::If": ["HasMail", {"Ref": "Base"}, {"Ref": "AWS::NoValue"}]}],
                "Policies": [{"PolicyDocument": {"Statement": [
                    {"Effect": "Allow", "Action": "dynamodb:GetItem", "Resource": {"Fn::GetAtt": ["Table", "Arn"]}, "Condition": KEYS},
                    {"Effect": "Allow", "Action": ["dynamodb:Query"], "Resource": {"Fn::Sub": "${Table.Arn}/index/gsi1"}},
                    {"Effect": "Deny", "Action": "dynamodb:Scan", "Resource": "*"},
                    {"Effect": "Allow", "Action": "states:DescribeExecution",
                     "Resource": {"Fn::Sub": "arn:${AWS::Partition}:states:x:y:execution:${Machine.Name}:*"}},
                ]}}],
            },
        },
        "Base": {"Type": "AWS::IAM::ManagedPolicy", "Properties": {"PolicyDocument": {"Statement": [
            {"Effect": "Allow", "Action": "sqs:SendMessage", "Resource": {"Fn::GetAtt": ["Queue", "Arn"]}}]}}},
        "Queue": {"Type": "AWS::SQS::Queue", "Properties": {"QueueName": {"Fn::Sub": "${AWS::StackName}-mails"}}},
        "Table": {"Type": "AWS::DynamoDB::Table", "Properties": {}},
        "MachineRole": {"Type": "AWS::IAM::Role", "Properties": {"Policies": []}},
    }
}  # fmt: skip
ARN = "arn:aws:dynamodb:us-east-1:1:table/souk-Table-5F"
USES = [
    ("dynamodb:GetItem", ARN, "USER#"),
    ("dynamodb:GetItem", ARN, "SIGNING"),
    ("dynamodb:Query", f"{ARN}/index/gsi1", None),
    ("sqs:SendMessage", "arn:aws:sqs:us-east-1:1:souk-mails", None),
    ("states:DescribeExecution", "arn:aws:states:x:y:execution:souk-a:*", None),
]


class Grants(unittest.TestCase):
    def found(self, uses=USES, reasons=(), role="souk-ARole-1A"):
        uses = [{"role": role, "action": action, "resource": arn, "key": key} for action, arn, key in uses]
        return list(grants.faults(grants.Grants(TEMPLATE), uses, reasons))

    def test_rights_that_are_used(self):
        self.assertEqual(self.found(), [])

    def test_each_right_that_nothing_used_is_found(self):
        for left_out in range(len(USES)):
            with self.subTest(USES[left_out]):
                self.assertEqual(len(self.found([each for at, each in enumerate(USES) if at != left_out])), 1)
        self.assertEqual(self.found(USES[1:]), ["nothing used: ARole dynamodb:GetItem Table USER#"])

    def test_the_use_of_another_role_table_or_queue_does_not_count(self):
        self.assertEqual(len(self.found(role="souk-BRole-1A")), len(USES))
        self.assertEqual(len(self.found([(USES[0][0], ARN.replace("Table", "Other"), "USER#"), *USES[1:]])), 1)
        self.assertEqual(len(self.found([*USES[:3], ("sqs:SendMessage", "arn:aws:sqs:x:1:souk-others", None), USES[4]])), 1)

    def test_an_exception_has_a_right_of_a_function(self):
        reason = {"grant": ["*", "dynamodb:GetItem", "Table", "USER#"], "reason": "why"}
        self.assertEqual(self.found(USES[1:], [reason]), [])
        self.assertEqual(self.found(USES, [reason]), [])
        other = {"grant": ["*", "dynamodb:PutItem", "Table", "USER#"], "reason": "why"}
        self.assertEqual(self.found(USES, [other]), ["grants.json explains what no function has: * dynamodb:PutItem Table USER#"])

    def test_a_test_that_a_reason_names_exists(self):
        tests = "\n".join(file.read_text() for file in (grants.ROOT / "tests").glob("*/*.rs"))
        named = {name for reason in json.loads(grants.REASONS.read_text()) for name in NAME.findall(reason["reason"])}
        self.assertGreater(len(named), 10)
        self.assertEqual([name for name in sorted(named) if f"fn {name}(" not in tests], [])


if __name__ == "__main__":
    unittest.main()
