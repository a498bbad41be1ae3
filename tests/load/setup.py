"""The virtual environment of the load test and of the soak, with Locust and all it needs, pinned with hashes."""

import os
import sys
from pathlib import Path

from run import environment
from run.project import SOUK, Failure, fail

WORK = SOUK / "load"
REQUIREMENTS = Path(__file__).resolve().parent / "requirements.txt"


def enter(command: str) -> None:
    """Runs the command again in the environment, unless this process is already in it."""
    try:
        python = environment.prepare(SOUK / "load-venv", REQUIREMENTS, "installing Locust into .souk/load-venv (once)", "--quiet")
    except Failure as failure:
        sys.exit(fail(f"../{command}", failure))
    WORK.mkdir(exist_ok=True)
    if Path(sys.prefix) != SOUK / "load-venv":
        os.execv(python, [str(python), "-B", *sys.argv])
