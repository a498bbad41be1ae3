"""The shards of a table's stream, and how far each has been read.

AWS: a stream has as many shards as the table has partitions. DynamoDB splits a partition that is busy, also inside an
item collection, by its sort key, unless the table has a local secondary index; then records of one partition key come
through two shards, in no order between them. A split ends the shard, and its children are read once it is read.

ministack 1.5.33: a stream has one shard, which is also this module's behaviour until a test splits it:
`{"shards": 2}`. The records from then on are distributed by their keys. DescribeStream goes on to show one shard.
"""

import json
import sys
import threading
import zlib
from typing import NamedTuple

from ministack.services import dynamodb, lambda_svc

from emulator.dynamodb import lock

MOST = 8


class Era(NamedTuple):
    """A part of a stream, from one split to the next."""

    start: int
    end: int
    shards: int


_shards = 1
_splits: dict[str, list[tuple[int, int]]] = {}  # of a table: position and number of shards from there on
_positions: dict[str, dict[int, int]] = {}  # of a mapping: how far each of its shards is read
_moving = threading.RLock()


def setting() -> dict:
    return {"shards": _shards}


def change(wanted) -> None:
    global _shards
    number = wanted.get("shards") if isinstance(wanted, dict) and wanted.keys() <= {"shards"} else None
    if isinstance(number, bool) or not isinstance(number, int) or not 1 <= number <= MOST:
        raise ValueError(f"shards is a whole number from 1 to {MOST}")
    with lock, _moving:
        _shards = number
        for key, table in dynamodb._tables.all_items():
            if table.get("LatestStreamArn"):
                split(key, table, number)
    dynamodb.esm_wake.set()


def reset() -> None:
    change({"shards": 1})


def split(key: tuple[str, str, str], table: dict, number: int) -> None:
    account, region, name = key
    end = dynamodb.stream_end_position(name, account_id=account, region=region)
    _splits.setdefault(name, []).append((end, number))
    for _account, _region, mapping in lambda_svc._iter_all_esms():
        read = _positions.get(mapping["UUID"])
        if read is not None and mapping["EventSourceArn"] == table["LatestStreamArn"]:
            for shard in range(number):
                read.setdefault(shard, end)


def most() -> int:
    """The number of shards that readers are needed for."""
    with _moving:
        return max((shards for splits in _splits.values() for _position, shards in splits), default=1)


def era(table: str, position: int) -> Era:
    """The part of the stream that contains a position."""
    with _moving:
        splits = [(0, 1), *_splits.get(table, [])]
    number = max(index for index, (start, _shards) in enumerate(splits) if start <= position)
    end = splits[number + 1][0] if number + 1 < len(splits) else sys.maxsize
    return Era(splits[number][0], end, splits[number][1])


def of(record: dict, shards: int, table: str) -> int:
    """The shard of a record: by its key, or by its partition key if item collections cannot be split."""
    described = dynamodb._tables[table]
    keys = record["dynamodb"]["Keys"]
    if described.get("LocalSecondaryIndexes"):
        keys = {described["pk_name"]: keys[described["pk_name"]]}
    return zlib.crc32(json.dumps(keys, sort_keys=True).encode()) % shards


def position(mapping: str, shard: int, first: int) -> int:
    """How far a mapping has read a shard; `first` if it has not begun."""
    with _moving:
        if mapping not in _positions:
            _positions[mapping] = {0: lambda_svc._dynamodb_stream_positions.setdefault(mapping, first)}
        return _positions[mapping].setdefault(shard, first)


def all_reached(mapping: str, start: int) -> bool:
    """Whether all shards before this position of the stream are read, so that those that begin there can be."""
    with _moving:
        return min(_positions[mapping].values()) >= start


def advance(mapping: str, shard: int, end: int, stream: str) -> bool:
    """Notes how far a shard is read, unless the mapping reads another stream by now. Whether others may wait for it."""
    with _moving:
        described = lambda_svc._esms.get(mapping)
        if described is None or described["EventSourceArn"] != stream:
            return False
        read = _positions[mapping]
        read[shard] = end
        # ministack stores one position for each mapping: the lowest of its shards. After a restart, the shards that were
        # ahead of it deliver some records again.
        lambda_svc._dynamodb_stream_positions[mapping] = min(read.values())
        return len(read) > 1


def begin_again(table: str, mappings: list[str]) -> None:
    """The table has a new stream, with one shard: these mappings read it from its beginning."""
    with _moving:
        _splits.pop(table, None)
        for mapping in mappings:
            _positions[mapping] = {0: 0}
            lambda_svc._dynamodb_stream_positions[mapping] = 0
