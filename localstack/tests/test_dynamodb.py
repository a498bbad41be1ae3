"""The lock of emulator/dynamodb.py: ministack's own code, called from many threads."""

import subprocess
import sys
import unittest

from tests.harness import HERE

# In a process of its own: it sets a short switch interval of threads.
RACE = """
import sys, threading
from ministack.services import dynamodb
from emulator import dynamodb as mend
if sys.argv[1] == "mended":
    for name in mend.OPERATIONS:
        setattr(dynamodb, name, mend.locked(getattr(dynamodb, name)))
sys.setswitchinterval(1e-6)
dynamodb._create_table({"TableName": "stock", "KeySchema": [{"AttributeName": "pk", "KeyType": "HASH"}],
    "AttributeDefinitions": [{"AttributeName": "pk", "AttributeType": "S"}], "BillingMode": "PAY_PER_REQUEST"})
dynamodb._put_item({"TableName": "stock", "Item": {"pk": {"S": "a"}, "left": {"N": "1000"}}})
sold = []
def buy():
    for _ in range(200):
        status, *_ = dynamodb._update_item({"TableName": "stock", "Key": {"pk": {"S": "a"}},
            "UpdateExpression": "SET #left = #left - :one", "ConditionExpression": "#left >= :one",
            "ExpressionAttributeNames": {"#left": "left"}, "ExpressionAttributeValues": {":one": {"N": "1"}}})
        if status == 200:
            sold.append(1)
threads = [threading.Thread(target=buy) for _ in range(8)]
[thread.start() for thread in threads]
[thread.join() for thread in threads]
print(len(sold))
"""


class Lock(unittest.TestCase):
    def sold(self, which: str) -> int:
        result = subprocess.run(
            [sys.executable, "-c", RACE, which], cwd=HERE.parent, capture_output=True, text=True, check=True
        )
        return int(result.stdout)

    def test_no_conditional_write_is_lost(self):
        self.assertEqual(self.sold("mended"), 1000)

    def test_the_mend_is_still_needed(self):
        self.assertGreater(self.sold("stock"), 1000)
