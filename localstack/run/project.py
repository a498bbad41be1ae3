"""Where things are, and how the commands speak."""

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
LOCALSTACK = ROOT / "localstack"
SOUK = ROOT / ".souk"
TEMPLATE = ROOT / "template.yaml"
LONGEST_LINE = 1000
LAMBDA = ROOT / "target" / "lambda"  # where the template's CodeUri points, as `cargo lambda build` lays it out


class Failure(Exception):
    """Ends a command with one line on standard error."""


def say(text: str) -> None:
    """Progress, on standard output: standard error is for what went wrong."""
    print(f"localstack: {text}", flush=True)


def warn(command: str, text: str) -> None:
    print(f"localstack/{command}: warning: {' '.join(text.split())[:LONGEST_LINE]}", file=sys.stderr, flush=True)


def fail(command: str, failure: Failure) -> int:
    line = " ".join(str(failure).split())
    print(f"localstack/{command}: {line[:LONGEST_LINE]}", file=sys.stderr, flush=True)
    return 1
