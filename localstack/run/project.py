"""The project's folders, and the output of the commands."""

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
LOCALSTACK = ROOT / "localstack"
SOUK = ROOT / ".souk"
TEMPLATE = ROOT / "template.yaml"
LONGEST_LINE = 1000
LAMBDA = ROOT / "target" / "lambda"  # the template's CodeUri points here; the layout is that of `cargo lambda build`


class Failure(Exception):
    """Ends a command with one line on standard error for each of its arguments."""


def say(text: str) -> None:
    """Prints progress on standard output; standard error is for failures."""
    print(f"localstack: {text}", flush=True)


def warn(command: str, text: str) -> None:
    print(f"localstack/{command}: warning: {' '.join(text.split())[:LONGEST_LINE]}", file=sys.stderr, flush=True)


def fail(command: str, failure: Failure) -> int:
    for fault in failure.args:
        print(f"localstack/{command}: {' '.join(fault.split())[:LONGEST_LINE]}", file=sys.stderr, flush=True)
    return 1
