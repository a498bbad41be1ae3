"""A table that was restored from a backup, under its old name.

AWS: a restored table has no stream. A stream that is enabled for it has another ARN; its sequence numbers have no
relation to those of the old stream, and may be lower. Event source mappings have to be pointed to it.

A test calls this instead of restoring: the table keeps its items, or gets those of a backup (CreateBackup); it gets a
new stream, whose sequence numbers start anew, and its mappings read that one. What they had not read of the old stream
they never read.
"""

import copy
from collections import defaultdict

from ministack.core.responses import request_scope
from ministack.services import dynamodb, lambda_svc

from emulator import indexes, shards
from emulator.dynamodb import lock

COUNTER = "soukStreamRecords"  # member of a restored table: the number of records that its stream has had
DIGITS = 30  # of a sequence number, as ministack writes them


def apply() -> None:
    dynamodb._build_change_record = counted(dynamodb._build_change_record)


def counted(build):
    """Numbers the records of a restored table from one; ministack's numbers begin with the time."""

    def build_record(table, *rest):
        record = build(table, *rest)
        if COUNTER in table:
            table[COUNTER] += 1
            record["dynamodb"]["SequenceNumber"] = f"{table[COUNTER]:0{DIGITS}d}"
        return record

    return build_record


def restore(wanted) -> dict:
    if not isinstance(wanted, dict) or not wanted.keys() <= {"table", "backupArn"} or "table" not in wanted:
        raise ValueError("a restore is an object with table and maybe backupArn")
    for (account, region, name), table in dynamodb._tables.all_items():
        if name == wanted["table"] and table.get("LatestStreamArn"):
            with request_scope(account, region), lock:
                if "backupArn" in wanted:
                    replace_items(table, wanted["backupArn"])
                return {"streamArn": replace_stream(name, table)}
    raise ValueError(f"there is no table {wanted['table']!r} with a stream")


def replace_items(table: dict, backup: str) -> None:
    found = dynamodb._backups.get(backup)
    if found is None or found["SourceTableDetails"]["TableName"] != table["TableName"]:
        raise ValueError(f"the table has no backup {backup!r}")
    table["items"] = defaultdict(dict, copy.deepcopy(found["_items_snapshot"]))
    dynamodb._items_replaced(table)
    indexes.forget()


def replace_stream(name: str, table: dict) -> str:
    old = table["LatestStreamArn"]
    label = dynamodb._stream_label()
    dynamodb.drop_stream_records(name, table)
    table.update(LatestStreamLabel=label, LatestStreamArn=f"{table['TableArn']}/stream/{label}")
    table[COUNTER] = 0
    moved = [mapping for _account, _region, mapping in lambda_svc._iter_all_esms() if mapping["EventSourceArn"] == old]
    for mapping in moved:
        mapping["EventSourceArn"] = table["LatestStreamArn"]
    shards.begin_again(name, [mapping["UUID"] for mapping in moved])
    return table["LatestStreamArn"]
