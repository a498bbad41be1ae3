"""What the browser tests need: their tools, a browser, and an instance with demo data. Then it runs them, some at once."""

import hashlib
import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

import chromium
from run.project import SOUK, Failure, say

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
WORK = SOUK / "browser"
PYTHON = WORK / "venv" / "bin" / "python"
# What is run side by side: modules of tests, or classes of them, the longest first.
AREAS = {
    "users-screens": "test_screens.OfUsers",
    "screens": "test_screens.ForEverybody",
    "buying": "test_buying",
    "experiments": "test_experiments",
    "session": "test_session",
    "watching": "test_watching",
    "safety": "test_safety",
    "selling": "test_selling",
    "docs": "test_screens.OfDevelopers",
}
AT_ONCE = 3


def main(words: list[str]) -> int:
    if not words or words[0].startswith("-"):
        print("usage: tests/browser/run INSTANCE [" + " | ".join(AREAS) + "]…", file=sys.stderr)
        return 2
    instance, areas = words[0], words[1:] or list(AREAS)
    if unknown := [area for area in areas if area not in AREAS]:
        print(f"tests/browser/run: there are no tests {', '.join(unknown)}", file=sys.stderr)
        return 2
    subprocess.run([ROOT / "functions" / "page-get" / "page" / "vendor" / "check"], check=True)
    try:
        install()
        browser = chromium.find(WORK)
    except Failure as failure:
        print(f"tests/browser/run: {failure}", file=sys.stderr)
        return 1
    record = SOUK / instance / "instance.json"
    subprocess.run([sys.executable, ROOT / "localstack" / "demo", record], check=True)
    return run(areas, os.environ | browser | {"SOUK_INSTANCE_FILE": str(record)} | screens())


def screens() -> dict[str, str]:
    folder = os.environ.get("SOUK_SCREENS")
    return {"SOUK_SCREENS": os.path.abspath(folder)} if folder else {}


def install() -> None:
    requirements = HERE / "requirements.txt"
    wanted = hashlib.sha256(requirements.read_bytes()).hexdigest()
    installed = WORK / "installed"
    if installed.exists() and installed.read_text() == wanted:
        return
    say("installing the tools of the browser tests into .souk/browser")
    WORK.mkdir(parents=True, exist_ok=True)
    shutil.rmtree(WORK / "venv", ignore_errors=True)
    subprocess.run([sys.executable, "-m", "venv", WORK / "venv"], check=True)
    pip = [PYTHON, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--require-hashes"]
    subprocess.run([*pip, "--requirement", requirements], check=True)
    installed.write_text(wanted)


def run(areas: list[str], environment: dict[str, str]) -> int:
    waiting, running, failed = list(areas), {}, []
    tests = 0
    while waiting or running:
        while waiting and len(running) < AT_ONCE:
            area = waiting.pop(0)
            log = open(WORK / f"{area}.log", "w+")
            words = [PYTHON, "-m", "unittest", "--verbose", AREAS[area]]
            running[area] = subprocess.Popen(words, cwd=HERE, env=environment, stdout=log, stderr=log), log
        # The next one starts when any of them ends.
        time.sleep(0.05)
        for area in [area for area, (process, _) in running.items() if process.poll() is not None]:
            process, log = running.pop(area)
            log.seek(0)
            text = log.read()
            log.close()
            print(f"-- {area}\n{text}", flush=True)
            tests += sum(map(int, re.findall(r"^Ran (\d+) test", text, re.MULTILINE)))
            if process.returncode != 0:
                failed.append(area)
    print(f"failed: {', '.join(failed)}" if failed else f"{tests} passed, 0 failed")
    return 1 if failed else 0
