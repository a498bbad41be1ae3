"""`sam build` must pass on a tree whose functions are built, and leave them where they are."""

import pathlib
import shutil
import subprocess
import sys
import tempfile

from cfnlint.decode.decode import decode

ROOT = pathlib.Path(__file__).resolve().parents[2]
SAM = pathlib.Path(sys.executable).parent / "sam"


def lay_out(tree):
    """What `sam build` looks at, with empty programs in place of the functions'."""
    for name in ("template.yaml", "samconfig.toml"):
        shutil.copy(ROOT / name, tree)
    shutil.copytree(ROOT / "statemachines", tree / "statemachines")
    for folder in code_folders(tree / "template.yaml"):
        folder.mkdir(parents=True)
        (folder / "bootstrap").touch(mode=0o755)


def code_folders(template):
    """The folders that the functions of a template have as CodeUri."""
    for resource in decode(str(template))[0]["Resources"].values():
        if resource["Type"] == "AWS::Serverless::Function":
            yield template.parent / resource["Properties"]["CodeUri"]


def main():
    with tempfile.TemporaryDirectory() as folder:
        tree = pathlib.Path(folder).resolve()
        lay_out(tree)
        built = subprocess.run([SAM, "build"], cwd=tree, capture_output=True, text=True)
        if built.returncode != 0:
            print(built.stdout, built.stderr, sep="")
            return 1
        moved = [
            str(code)
            for code in code_folders(tree / ".aws-sam" / "build" / "template.yaml")
            if not (code / "bootstrap").exists() or tree / "target" not in code.resolve().parents
        ]
        print(*(f"{code} is not what cargo has built" for code in moved), sep="\n", end="\n" if moved else "")
        return 1 if moved else 0


if __name__ == "__main__":
    sys.exit(main())
