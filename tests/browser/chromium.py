"""Finds Chromium, or unpacks one: from Debian's packages, or from npm where there is no apt."""

import os
import shutil
import subprocess
from pathlib import Path

from run import debian
from run.project import Failure, say

HERE = Path(__file__).resolve().parent
BROWSERS = ("chromium", "chromium-browser", "google-chrome-stable", "google-chrome")
# Text in a font that the machine lacks, or in `system-ui`, is drawn in DejaVu Sans, so that the page is as wide on every machine.
FONTS = """<?xml version="1.0"?><fontconfig>
<dir>/usr/share/fonts</dir><dir>{fonts}</dir><cachedir>{cache}</cachedir>
<match target="pattern"><test name="family"><string>sans-serif</string></test>
<edit name="family" mode="assign" binding="strong"><string>DejaVu Sans</string></edit></match>
<match target="pattern"><edit name="family" mode="append_last"><string>DejaVu Sans</string></edit></match>
</fontconfig>
"""


def find(work: Path) -> dict[str, str]:
    """The environment that names the browser."""
    named = os.environ.get("SOUK_BROWSER") or next(filter(None, map(shutil.which, BROWSERS)), None)
    if named:
        return {"SOUK_BROWSER": named}
    return of_debian(work) if debian.available() else of_npm(work)


def of_debian(work: Path) -> dict[str, str]:
    folder = work / "chromium"
    program = folder / "usr" / "lib" / "chromium" / "chromium"
    if not program.exists():
        say("unpacking Chromium from Debian's packages into .souk/browser")
        debian.unpack(["chromium", "fonts-dejavu-core"], folder)
    libraries = {library.parent for part in ("lib", "usr/lib") for library in folder.glob(f"{part}/**/*.so*")}
    return environment(program, libraries, folder / "usr" / "share" / "fonts", work)


def of_npm(work: Path) -> dict[str, str]:
    folder = work / "chromium-npm"
    lock, unpacked = (HERE / "npm" / "package-lock.json").read_bytes(), folder / "unpacked.json"
    if not unpacked.exists() or unpacked.read_bytes() != lock:
        say("unpacking Chromium from npm into .souk/browser")
        if subprocess.run([HERE / "npm" / "unpack", folder], check=False).returncode != 0:
            raise Failure("no Chromium was found and none could be unpacked; name one in SOUK_BROWSER")
        unpacked.write_bytes(lock)
    libraries = {library.parent for library in folder.glob("libraries/**/*.so*")}
    return environment(folder / "chromium", libraries, folder / "fonts", work)


def environment(program: Path, libraries: set[Path], fonts: Path, work: Path) -> dict[str, str]:
    configuration = work / "fonts.conf"
    configuration.write_text(FONTS.format(fonts=fonts, cache=work / "fonts"))
    paths = ":".join(sorted(map(str, libraries)))
    return {"SOUK_BROWSER": str(program), "LD_LIBRARY_PATH": paths, "FONTCONFIG_FILE": str(configuration)}
