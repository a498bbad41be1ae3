"""Java programs from Maven Central, each with its libraries in a folder of its own under .souk/."""

import hashlib
import shutil
import subprocess
from pathlib import Path

from run.environment import locked
from run.project import SOUK, Failure, say

INSTALL = "install Java 17 and Maven (Debian: apt install openjdk-17-jre-headless maven; macOS: brew install openjdk maven)"


def fetched(pom: Path, name: str, title: str, megabytes: int) -> Path:
    """The folder of the libraries that the pom names, which Maven fetches once into .souk/NAME."""
    if missing := [program for program in ("java", "mvn") if shutil.which(program) is None]:
        raise Failure(f"{' and '.join(missing)} cannot be found: {INSTALL}")
    unpacked = SOUK / name
    folder = unpacked / hashlib.sha256(pom.read_bytes()).hexdigest()[:16]
    with locked(SOUK / f"{name}.lock"):
        if not folder.exists():
            say(f"fetching {title} into .souk/{name} (once; {megabytes} MB)")
            shutil.rmtree(unpacked, ignore_errors=True)
            unfinished = unpacked / "unfinished"
            words = ["mvn", "--quiet", "--batch-mode", "--file", str(pom), "dependency:copy-dependencies"]
            done = subprocess.run([*words, f"-DoutputDirectory={unfinished}"], capture_output=True, text=True, check=False)
            if done.returncode != 0:
                raise Failure(f"{title} cannot be fetched from Maven Central: {done.stdout}{done.stderr}")
            unfinished.rename(folder)
    return folder
