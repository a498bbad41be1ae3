"""Where things are, and how the commands speak."""

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
LOCALSTACK = ROOT / "localstack"
SOUK = ROOT / ".souk"
TEMPLATE = ROOT / "template.yaml"
LAMBDA = ROOT / "target" / "lambda"  # where the template's CodeUri points, as `cargo lambda build` lays it out


class Failure(Exception):
    """Ends a command with one line on standard error."""


def say(text: str) -> None:
    """Progress, on standard output: standard error is for what went wrong."""
    print(f"localstack: {text}", flush=True)


def fail(command: str, failure: Failure) -> int:
    print(f"localstack/{command}: {' '.join(str(failure).split())}", file=sys.stderr, flush=True)
    return 1
