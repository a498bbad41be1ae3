"""The engine: runs statements one after the other, each in the database and with the settings of its request."""

import re
import tempfile
import threading
from pathlib import Path

from chdb import session

CODE = re.compile(r"Code: (\d+)")
INSERT = re.compile(r"\s*INSERT\s", re.IGNORECASE)
FORMAT = re.compile(r"\s+FORMAT\s+\w+\s*$", re.IGNORECASE)
NAME = re.compile(r"\w+", re.ASCII)


class Refused(Exception):
    """An exception of the engine, with its code: https://clickhouse.com/docs/interfaces/http."""

    def __init__(self, message: str, code: str | None = None):
        super().__init__(message)
        found = CODE.search(message)
        self.code = code or (found[1] if found else "1001")  # STD_EXCEPTION


class Engine:
    """`folder` has the data; no other process may have it open."""

    def __init__(self, folder: Path):
        self.lock = threading.Lock()
        self.bodies = folder / "bodies"
        folder.mkdir(parents=True, exist_ok=True)
        self.session = session.Session(str(folder))
        self.bodies.mkdir(exist_ok=True)
        for left in self.bodies.iterdir():
            left.unlink()

    def run(self, sql: str, database: str, form: str, settings: dict, parameters: dict, body: bytes) -> bytes:
        """The result of a statement in this format. `body` are the rows of an insert."""
        for name in (database, *settings):
            if not NAME.fullmatch(name):
                raise Refused(f"{name!r} is no name")
        with self.lock, tempfile.NamedTemporaryFile(dir=self.bodies) as file:
            if body and INSERT.match(sql):
                # The engine reads rows in the text of a statement as one block of limited length.
                file.write(body)
                file.flush()
                sql = from_file(sql, file.name)
            elif body:
                sql = f"{sql}\n{body.decode()}"
            return self.in_session(sql, database, form, settings, parameters)

    def in_session(self, sql: str, database: str, form: str, settings: dict, parameters: dict) -> bytes:
        self.query(f"USE {database}")
        try:
            for name, value in settings.items():
                self.query(f"SET {name} = {quoted(value)}")
            return self.query(sql, form, parameters)
        finally:
            # A session keeps its settings, and a request has its own.
            for name in settings:
                self.query(f"SET {name} = DEFAULT")

    def query(self, sql: str, form: str = "TabSeparated", parameters: dict | None = None) -> bytes:
        try:
            return self.session.query(sql, form, params=parameters or {}).bytes() or b""
        except Exception as error:  # noqa: BLE001: the engine raises plain exceptions
            raise Refused(str(error)) from error


def from_file(insert: str, file: str) -> str:
    found = FORMAT.search(insert)
    head, form = (insert[: found.start()], found[0]) if found else (insert, "")
    return f"{head} FROM INFILE {quoted(file)}{form}"


def quoted(text: str) -> str:
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"
