"""Applies every correction. Each is a module with `apply` that says what AWS does and what ministack does instead."""

import gc
import sys
from pathlib import Path

from emulator import (
    access, dynamodb, express, faults, functions, gateway, histories, indexes, kafka, mails, maps, memo, openapi, queues,
    restore, samples, secrets, states, streams, table_faults, units,
)  # fmt: skip

# Interpreter threads serve the gateway, the Runtime API and the table at the same time; with the default of
# 5 ms, one busy thread would delay a call that needs a few tenths of a millisecond. Half a millisecond costs an eighth
# more processor time than 5.
SWITCH_SECONDS = 0.002


def apply(directory: Path) -> None:
    sys.setswitchinterval(SWITCH_SECONDS)
    gc.freeze()  # otherwise each full collection takes a quarter of a second in the middle of a call
    gc.set_threshold(50_000, 50, 50)
    memo.apply()
    functions.apply(directory / "logs")
    access.apply(directory)
    mails.apply(directory)
    indexes.apply()
    restore.apply()
    units.apply()  # before the lock of dynamodb, within which it counts
    dynamodb.apply()
    table_faults.apply()  # after the lock of dynamodb, so that a fault that waits holds up no other request
    openapi.apply()
    gateway.apply()
    queues.apply()
    secrets.apply()
    states.apply()
    histories.apply()
    express.apply()
    maps.apply()
    faults.apply()
    streams.apply()
    kafka.apply(directory)
    samples.apply(directory)


def stop() -> None:
    functions.stop()
