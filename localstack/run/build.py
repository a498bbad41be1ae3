"""Builds the functions with cargo, and arranges them where the template's CodeUri points."""

import json
import os
import shutil
import subprocess
from pathlib import Path

from run.project import LAMBDA, ROOT, Failure, say


def require_tools() -> None:
    for tool, what in (("cargo", "Rust's build tool (https://rustup.rs)"), ("cc", "a C compiler (Debian: gcc)")):
        if shutil.which(tool) is None:
            raise Failure(f"{tool} is missing: {what}")


def crates() -> list[str]:
    return sorted(manifest.parent.name for manifest in (ROOT / "functions").glob("*/Cargo.toml"))


def build() -> None:
    """Runs `cargo build`, which shows its own progress and rebuilds only what changed."""
    names = crates()
    if not names:
        raise Failure("there is no crate under functions/")
    say(f"building {len(names)} functions")
    # Builds the whole workspace, although only functions have programs: a part of it can resolve to other features of
    # a shared dependency, and cargo would then compile the AWS SDK once for this and once for the tests.
    words = ["cargo", "build", "--locked", "--workspace", "--bins", "--message-format", "json-render-diagnostics"]
    with subprocess.Popen(words, cwd=ROOT, stdout=subprocess.PIPE, text=True) as cargo:
        executables = {}
        for line in cargo.stdout:
            message = json.loads(line)
            if message["reason"] == "compiler-artifact" and message["executable"]:
                executables[message["target"]["name"]] = Path(message["executable"])
    if cargo.returncode != 0:
        raise Failure("the build failed, see cargo's messages above")
    for name in names:
        if name not in executables:
            raise Failure(f"functions/{name} builds no program called {name}")
        lay_out(executables[name], LAMBDA / name / "bootstrap")


def lay_out(executable: Path, bootstrap: Path) -> None:
    if bootstrap.exists() and bootstrap.samefile(executable):
        return
    bootstrap.parent.mkdir(parents=True, exist_ok=True)
    fresh = bootstrap.with_suffix(".new")
    fresh.unlink(missing_ok=True)
    try:
        os.link(executable, fresh)
    except OSError:
        shutil.copy2(executable, fresh)
    fresh.replace(bootstrap)
