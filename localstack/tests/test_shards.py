"""emulator/shards.py and emulator/restore.py."""

import unittest
import urllib.error
import uuid
from unittest import mock

from emulator import shards
from ministack.services import dynamodb
from tests.harness import Case


class Streams(Case):
    def setUp(self):
        self.pk = f"collection-{uuid.uuid4().hex[:8]}"
        self.table, self.follower = self.system.outputs["Collections"], self.system.outputs["FollowerFunction"]
        self.addCleanup(self.system.control, "DELETE", "shards")
        self.addCleanup(self.system.control, "DELETE", "faults")

    def put(self, sk: str) -> None:
        item = {"pk": {"S": self.pk}, "sk": {"S": sk}}
        self.system.client("dynamodb").put_item(TableName=self.table, Item=item)

    def seen(self) -> list[str]:
        return [note["sk"] for note in self.notes()]

    def notes(self) -> list[dict]:
        return [note for note in self.system.notes("record") if note["record"] == self.pk]

    def await_all(self, *wanted: str) -> list[str]:
        return self.eventually(lambda: len(seen := self.seen()) >= len(wanted) and seen, f"{wanted} did not arrive")

    def shard(self, sk: str) -> int:
        record = {"dynamodb": {"Keys": {"pk": {"S": self.pk}, "sk": {"S": sk}}}}
        with mock.patch.object(dynamodb, "_tables", {self.table: {}}):
            return shards.of(record, 2, self.table)

    def keys(self, *of: int) -> list[str]:
        """Sort keys whose records come through these shards."""
        found, number = [], 0
        for wanted in of:
            while self.shard(f"sort-{number}") != wanted:
                number += 1
            found.append(f"sort-{number}")
            number += 1
        return found

    def hold(self, *contains: str) -> None:
        rule = {"function": self.follower, "kind": "hold", "contains": [self.pk, *contains], "id": "door"}
        self.system.control("PUT", "faults", [rule])

    def waiting(self) -> int:
        return self.system.control("GET", "faults")[0]["waiting"]


class Shards(Streams):
    def test_records_of_an_item_collection_overtake_each_other_in_two_shards(self):
        self.system.control("PUT", "shards", {"shards": 2})
        slow, quick, slow_again, quick_again = self.keys(0, 1, 0, 1)
        self.hold(slow)
        for sk in (slow, quick, slow_again, quick_again):
            self.put(sk)
        self.assertEqual(self.await_all(quick, quick_again), [quick, quick_again])
        self.system.control("DELETE", "faults")
        self.assertEqual(self.await_all(slow, quick, slow_again, quick_again)[2:], [slow, slow_again])

    def test_in_one_shard_nothing_overtakes(self):
        slow, quick = self.keys(0, 1)
        self.hold(slow)
        self.put(slow)
        self.eventually(lambda: self.waiting() == 1, "nothing is held")
        self.put(quick)
        self.system.control("DELETE", "faults")
        self.assertEqual(self.await_all(slow, quick), [slow, quick])

    def test_a_split_ends_a_shard_and_a_merge_the_two(self):
        before, after, merged = self.keys(0, 1, 1)
        self.hold(before)
        self.put(before)
        self.eventually(lambda: self.waiting() == 1, "nothing is held")
        self.system.control("PUT", "shards", {"shards": 2})
        self.put(after)  # a child shard begins when its parent has been read
        self.system.control("PUT", "shards", {"shards": 1})
        self.put(merged)
        self.assertEqual(self.seen(), [])
        self.system.control("DELETE", "faults")
        self.assertEqual(self.await_all(before, after, merged), [before, after, merged])

    def test_a_restart_loses_nothing_of_a_split_stream(self):
        self.system.control("PUT", "shards", {"shards": 2})
        slow, quick = self.keys(0, 1)
        self.hold(slow)
        self.put(slow)
        self.put(quick)
        self.await_all(quick)
        self.system.instance.stop()
        self.system.start()
        self.eventually(lambda: slow in self.seen(), "the record of the other shard was lost")

    def test_the_setting_is_read_and_checked(self):
        self.assertEqual(self.system.control("PUT", "shards", {"shards": 3}), {"shards": 3})
        for wrong in ({}, {"shards": 0}, {"shards": 9}, {"shards": "2"}, {"other": 2}, 2):
            with self.subTest(wrong), self.assertRaises(urllib.error.HTTPError) as refused:
                self.system.control("PUT", "shards", wrong)
            self.assertEqual(refused.exception.code, 400)
        self.assertEqual(self.system.control("DELETE", "shards"), {"shards": 1})


class Restored(Streams):
    def restore(self, **members: str) -> str:
        return self.system.control("POST", "restore", {"table": self.table, **members})["streamArn"]

    def test_a_restored_table_has_a_new_stream_whose_numbers_start_anew(self):
        self.put("before")
        self.await_all("before")
        arn = self.restore()
        self.put("after")
        self.put("later")
        self.await_all("before", "after", "later")
        old, new, newer = self.notes()
        self.assertNotEqual(old["stream"], arn)
        self.assertEqual((new["stream"], newer["stream"]), (arn, arn))
        self.assertLess(int(new["number"]), int(old["number"]))
        self.assertEqual((int(new["number"]), int(newer["number"])), (1, 2))
        described = self.system.client("dynamodb").describe_table(TableName=self.table)["Table"]
        self.assertEqual(described["LatestStreamArn"], arn)

    def test_a_batch_of_the_old_stream_is_given_up_and_a_split_forgotten(self):
        self.system.control("PUT", "shards", {"shards": 2})
        rule = {"function": self.follower, "kind": "fail", "contains": [self.pk, "poison"]}
        self.system.control("PUT", "faults", [rule])
        self.put("poison")
        self.eventually(lambda: self.system.control("GET", "faults")[0]["fired"] > 1, "the batch was not retried")
        self.restore()
        first, second = self.keys(0, 1)
        self.put(first)
        self.put(second)
        self.assertEqual(self.await_all(first, second), [first, second])

    def test_the_items_of_a_backup_come_back(self):
        client = self.system.client("dynamodb")
        self.put("kept")
        backup = client.create_backup(TableName=self.table, BackupName=self.pk)["BackupDetails"]["BackupArn"]
        self.put("lost")
        self.await_all("kept", "lost")
        self.restore(backupArn=backup)
        found = client.query(
            TableName=self.table, KeyConditionExpression="pk = :pk", ExpressionAttributeValues={":pk": {"S": self.pk}}
        )["Items"]
        self.assertEqual([item["sk"]["S"] for item in found], ["kept"])

    def test_what_cannot_be_restored_is_refused(self):
        for wrong in ({}, {"table": "none"}, {"table": self.table, "backupArn": "none"}, {"table": self.table, "a": 1}):
            with self.subTest(wrong), self.assertRaises(urllib.error.HTTPError) as refused:
                self.system.control("POST", "restore", wrong)
            self.assertEqual(refused.exception.code, 400)


class Distribution(unittest.TestCase):
    def test_a_local_index_keeps_an_item_collection_in_one_shard(self):
        records = [{"dynamodb": {"Keys": {"pk": {"S": "one"}, "sk": {"S": str(number)}}}} for number in range(20)]
        plain, indexed = {"pk_name": "pk"}, {"pk_name": "pk", "LocalSecondaryIndexes": [{"IndexName": "any"}]}
        with mock.patch.object(dynamodb, "_tables", {"plain": plain, "indexed": indexed}):
            self.assertEqual({shards.of(record, 2, "plain") for record in records}, {0, 1})
            self.assertEqual(len({shards.of(record, 2, "indexed") for record in records}), 1)
