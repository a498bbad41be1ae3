"""The project's virtual environment, created again when the pinned requirements change."""

import fcntl
import hashlib
import importlib.util
import os
import shutil
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

from run.project import LOCALSTACK, SOUK, Failure, say

VENV = SOUK / "venv"
PYTHON = VENV / "bin" / "python"
REQUIREMENTS = LOCALSTACK / "requirements.txt"


def enter() -> None:
    """Runs the command again in the virtual environment, unless this process is already in it."""
    refresh()
    if Path(sys.prefix) != VENV:
        os.execv(PYTHON, [str(PYTHON), *sys.argv])


def refresh() -> None:
    prepare(VENV, REQUIREMENTS, "installing the emulator into .souk/venv (once; about a minute)")


def prepare(folder: Path, requirements: Path, message: str, *options: str) -> Path:
    """The interpreter of a virtual environment with these requirements; prints the message if it has to install them."""
    wanted = hashlib.sha256(requirements.read_bytes()).hexdigest()
    stamp, python = folder / "requirements.sha256", folder / "bin" / "python"
    with locked(SOUK / f"{folder.name}.lock"):
        if stamp.exists() and stamp.read_text() == wanted and python.exists():
            return python
        if missing := [name for name in ("venv", "ensurepip") if importlib.util.find_spec(name) is None]:
            raise Failure(f"Python's module {missing[0]} is missing (Debian: apt install python3-venv)")
        say(message)
        shutil.rmtree(folder, ignore_errors=True)
        step([sys.executable, "-m", "venv", str(folder)], "the virtual environment cannot be made")
        pip = [str(python), "-m", "pip", "--disable-pip-version-check", "install", "--no-input", *options]
        step([*pip, "--require-hashes", "--requirement", str(requirements)], f"{folder.name} cannot be installed")
        stamp.write_text(wanted)
    return python


def step(words: list[str], complaint: str) -> None:
    result = subprocess.run(words, check=False)
    if result.returncode != 0:
        raise Failure(f"{complaint}: {Path(words[0]).name} ended with {result.returncode}, see above")


@contextmanager
def locked(path: Path, other: str = "localstack/up"):
    """Makes concurrent runs of `up` wait for each other; the waiting run prints that it waits for `other`."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say(f"waiting for another {other}")
            fcntl.flock(file, fcntl.LOCK_EX)
        yield
