"""Puts every mend in place. Each is a module with `apply`, and says what AWS does and what ministack does wrong."""

import gc
import sys
from pathlib import Path

from emulator import (
    access, dynamodb, faults, functions, gateway, histories, maps, openapi, queues, secrets, states, streams,
)  # fmt: skip

# Interpreter threads serve the gateway, the Runtime API and the table side by side; with the default of
# 5 ms one busy thread would hold up a call that needs a few tenths of a millisecond.
SWITCH_SECONDS = 0.0005


def apply(directory: Path) -> None:
    sys.setswitchinterval(SWITCH_SECONDS)
    gc.freeze()  # a quarter of a second for each full collection otherwise, in the middle of a call
    gc.set_threshold(50_000, 50, 50)
    functions.apply(directory / "logs")
    access.apply()
    dynamodb.apply()
    openapi.apply()
    gateway.apply()
    queues.apply()
    secrets.apply()
    states.apply()
    histories.apply()
    maps.apply()
    faults.apply()
    streams.apply()


def stop() -> None:
    functions.stop()
