"""Function packages for the emulator.

An uploaded package does not contain the program but two lines of shell that start it in `.souk/code/<digest>`. The
emulator keeps every package in memory, twice, and in its saved state; this way it keeps a few hundred bytes for each
function, and a deployment takes no longer than its calls. A package's name changes with the program, so that
CloudFormation updates only the functions that changed.
"""

import hashlib
import io
import json
import shutil
import zipfile
from pathlib import Path

from run.project import SOUK, Failure

CODE = SOUK / "code"
KNOWN = CODE / "digests.json"  # of files that were read before, by path, size and time


class Packages:
    def __init__(self):
        try:
            self.known = json.loads(KNOWN.read_text())
        except (FileNotFoundError, ValueError):
            self.known = {}

    def digest(self, folder: Path) -> str:
        bootstrap = folder / "bootstrap"
        if not bootstrap.is_file():
            raise Failure(f"{bootstrap} is missing: build the functions first")
        status = bootstrap.stat()
        key = f"{bootstrap}:{status.st_size}:{status.st_mtime_ns}"
        if key not in self.known or not (CODE / self.known[key]).exists():
            with bootstrap.open("rb") as program:
                self.known[key] = hashlib.file_digest(program, "sha256").hexdigest()
            keep(folder, self.known[key])
            KNOWN.write_text(json.dumps(self.known))
        return self.known[key]

    def prune(self, used: set[str]) -> None:
        """Deletes the programs that no instance runs."""
        for folder in CODE.iterdir():
            if folder.is_dir() and folder.name not in used:
                shutil.rmtree(folder, ignore_errors=True)
        self.known = {key: digest for key, digest in self.known.items() if digest in used}
        KNOWN.write_text(json.dumps(self.known))


def keep(folder: Path, digest: str) -> None:
    kept = CODE / digest
    if kept.exists():
        return
    temporary = CODE / f"{digest}.new"
    shutil.rmtree(temporary, ignore_errors=True)
    shutil.copytree(folder, temporary)
    temporary.rename(kept)


def archive(digest: str) -> bytes:
    script = f'#!/bin/sh\nexport LAMBDA_TASK_ROOT="{CODE / digest}"\ncd "$LAMBDA_TASK_ROOT" && exec ./bootstrap "$@"\n'
    entry = zipfile.ZipInfo("bootstrap")
    entry.external_attr = 0o755 << 16
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as package:
        package.writestr(entry, script)
    return buffer.getvalue()
