"""Global secondary indexes that lag behind the table.

AWS: an index is updated some time after the table, usually within a fraction of a second; an item's changes reach it
in their order, those of different items in any.

ministack 1.5.33: an index shows every write at once, which is also this module's behaviour until a test sets a lag:
`{"lagSeconds": 2}` shows each write after 2 s, and with `"seed"` each after a random part of it.
"""

import functools
import random
import time
from dataclasses import dataclass

from ministack.services import dynamodb

from emulator.dynamodb import lock

LONGEST_LAG_SECONDS = 3600

_lag = {"lagSeconds": 0.0}
_dice: random.Random | None = None
_hidden: list["Change"] = []  # changes that the indexes do not show yet, in the order of the writes


@dataclass
class Change:
    table: dict
    key: tuple[str, str]
    before: dict | None
    shown_at: float


def apply() -> None:
    dynamodb._set_item = remembered(dynamodb._set_item)
    dynamodb._remove_item = remembered(dynamodb._remove_item)
    dynamodb._query = of_the_past(dynamodb._query)
    dynamodb._scan = of_the_past(dynamodb._scan)


def setting() -> dict:
    return dict(_lag)


def change(wanted) -> None:
    global _dice
    if not isinstance(wanted, dict) or not wanted.keys() <= {"lagSeconds", "seed"}:
        raise ValueError("a lag is an object with lagSeconds and maybe seed")
    seconds, seed = wanted.get("lagSeconds"), wanted.get("seed", 0)
    if isinstance(seconds, bool) or not isinstance(seconds, (int, float)) or not 0 <= seconds <= LONGEST_LAG_SECONDS:
        raise ValueError(f"lagSeconds {seconds!r}: a number from 0 to {LONGEST_LAG_SECONDS} is wanted")
    if isinstance(seed, bool) or not isinstance(seed, int):
        raise ValueError(f"seed {seed!r}: a whole number is wanted")
    with lock:
        _lag.clear()
        _lag.update(wanted)
        _dice = random.Random(seed) if "seed" in wanted else None
        if not seconds:
            forget()


def reset() -> None:
    change({"lagSeconds": 0})


def forget() -> None:
    """Shows all changes."""
    with lock:
        _hidden.clear()


def remembered(write):
    """Keeps what an item was before a write for as long as the indexes show that."""

    @functools.wraps(write)
    def write_item(table, pk, sk, *item):
        with lock:
            if not _lag["lagSeconds"]:
                return write(table, pk, sk, *item)
            now = time.monotonic()
            _hidden[:] = [change for change in _hidden if change.shown_at > now]
            shown_at = now + _lag["lagSeconds"] * (_dice.random() if _dice else 1)
            of_item = [change.shown_at for change in _hidden if change.table is table and change.key == (pk, sk)]
            before = table["items"].get(pk, {}).get(sk)
            _hidden.append(Change(table, (pk, sk), before, max(shown_at, *of_item, 0)))
            return write(table, pk, sk, *item)

    write_item.unseen = write
    return write_item


def of_the_past(read):
    """Reads an index as it was before the changes that it does not show yet."""

    @functools.wraps(read)
    def answer(data):
        with lock:
            table = dynamodb._tables.get(data.get("TableName", ""))
            if not _hidden or table is None or not is_global(table, data.get("IndexName")):
                return read(data)
            now, present = time.monotonic(), {}
            for change in reversed(_hidden):
                if change.table is table and change.shown_at > now:
                    present.setdefault(change.key, current(table, change.key))
                    put(table, change.key, change.before)
            try:
                return read(data)
            finally:
                for key, item in present.items():
                    put(table, key, item)

    return answer


def is_global(table: dict, index: str | None) -> bool:
    return any(each["IndexName"] == index for each in table.get("GlobalSecondaryIndexes") or [])


def current(table: dict, key: tuple[str, str]) -> dict | None:
    return table["items"].get(key[0], {}).get(key[1])


def put(table: dict, key: tuple[str, str], item: dict | None) -> None:
    if item is None:
        dynamodb._remove_item.unseen(table, *key)
    else:
        dynamodb._set_item.unseen(table, *key, item)
