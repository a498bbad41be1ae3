"""Unpacks a program from Debian's packages into `.souk/`, without root and without a change to the machine.

apt checks its downloads against the signed index. If the machine has no index, or its index no longer has the package,
a temporary index is downloaded.
"""

import os
import re
import shutil
import subprocess
import tempfile
from pathlib import Path

from run.project import Failure

STEP_SECONDS = 120
PATIENT = ["-o", "Acquire::Retries=2", "-o", "Acquire::http::Timeout=15", "-o", "Acquire::https::Timeout=15"]


def available() -> bool:
    return all(shutil.which(tool) for tool in ("apt-get", "dpkg-deb"))


def unpack(packages: list[str], folder: Path) -> None:
    """Unpacks the packages, and those dependencies that the machine lacks, into `folder`; all of them or none."""
    with tempfile.TemporaryDirectory(prefix="apt-", dir=folder.parent) as name:
        temporary = Path(name)
        temporary.chmod(0o755)  # apt reads as a user of its own when root runs it
        download(packages, temporary)
        fresh = temporary / "unpacked"
        for archive in temporary.glob("*.deb"):
            run(["dpkg-deb", "--extract", str(archive), str(fresh)], temporary)
        shutil.rmtree(folder, ignore_errors=True)
        fresh.rename(folder)


def download(packages: list[str], folder: Path) -> None:
    try:
        fetch(packages, folder, [])
    except Failure:
        own = ["-o", f"Dir::State::Lists={folder}/lists", "-o", f"Dir::Cache={folder}/cache"]
        for part in ("lists/partial", "cache/archives/partial"):
            (folder / part).mkdir(parents=True)
        run(["apt-get", *PATIENT, *own, "update"], folder)
        fetch(packages, folder, own)


def fetch(packages: list[str], folder: Path, options: list[str]) -> None:
    plan = run(["apt-get", *options, "--simulate", "--no-install-recommends", "install", *packages], folder)
    missing = re.findall(r"^Inst (\S+)", plan, re.MULTILINE)
    run(["apt-get", *PATIENT, *options, "download", *sorted({*packages, *missing})], folder)


def run(words: list[str], folder: Path) -> str:
    environment = {**os.environ, "LC_ALL": "C", "DEBIAN_FRONTEND": "noninteractive"}
    try:
        result = subprocess.run(
            words, cwd=folder, env=environment, capture_output=True, text=True, timeout=STEP_SECONDS, check=False
        )
    except subprocess.TimeoutExpired:
        raise Failure(f"{words[0]} did not end within {STEP_SECONDS} s") from None
    if result.returncode != 0:
        lines = [line for line in result.stderr.splitlines() if line.startswith("E:")] or [result.stderr]
        raise Failure(f"{words[0]} failed: {lines[0]}")
    return result.stdout


def libraries(folder: Path) -> str:
    """The folders of the unpacked shared libraries, for LD_LIBRARY_PATH."""
    return ":".join(sorted({str(library.parent) for library in folder.glob("**/*.so.*")}))
