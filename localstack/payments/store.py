"""The store, one SQLite file: intents, refunds, disputes, and the answers to idempotency keys."""

import json
import sqlite3
import threading
import time
from contextlib import contextmanager
from pathlib import Path

KEPT_SECONDS = 24 * 60 * 60
TABLES = """
    CREATE TABLE IF NOT EXISTS intents (number INTEGER PRIMARY KEY, id TEXT UNIQUE, order_id TEXT, document TEXT);
    CREATE INDEX IF NOT EXISTS orders ON intents (order_id);
    CREATE TABLE IF NOT EXISTS refunds (number INTEGER PRIMARY KEY, id TEXT UNIQUE, intent TEXT, document TEXT);
    CREATE INDEX IF NOT EXISTS refunded ON refunds (intent);
    CREATE TABLE IF NOT EXISTS disputes (number INTEGER PRIMARY KEY, intent TEXT UNIQUE, document TEXT);
    CREATE TABLE IF NOT EXISTS events (number INTEGER PRIMARY KEY, document TEXT);
    CREATE TABLE IF NOT EXISTS answers (key TEXT PRIMARY KEY, request TEXT, status INTEGER, body TEXT, at REAL);
"""


class Store:
    def __init__(self, file: Path | str):
        self.lock = threading.RLock()
        self.connection = sqlite3.connect(file, check_same_thread=False, isolation_level=None)
        # Committed data survives the process; a power failure of the machine is not considered.
        self.connection.executescript("PRAGMA journal_mode = WAL; PRAGMA synchronous = OFF;" + TABLES)
        self.keys_in_use: set[str] = set()

    @contextmanager
    def transaction(self):
        """A transaction; one at a time."""
        with self.lock:
            self.connection.execute("BEGIN IMMEDIATE")
            try:
                yield
            except BaseException:
                self.connection.execute("ROLLBACK")
                raise
            self.connection.execute("COMMIT")

    def rows(self, statement: str, *values) -> list:
        with self.lock:
            return self.connection.execute(statement, values).fetchall()

    def documents(self, statement: str, *values) -> list[dict]:
        return [json.loads(document) for (document,) in self.rows(statement, *values)]

    def intent(self, identifier: str) -> dict | None:
        found = self.documents("SELECT document FROM intents WHERE id = ?", identifier)
        return found[0] if found else None

    def intents(self) -> list[dict]:
        """Newest first."""
        return self.documents("SELECT document FROM intents ORDER BY number DESC")

    def intents_of(self, order_id: str) -> list[dict]:
        return self.documents("SELECT document FROM intents WHERE order_id = ? ORDER BY number", order_id)

    def write_intent(self, intent: dict) -> None:
        self.rows(
            "INSERT INTO intents (id, order_id, document) VALUES (?, ?, ?)"
            " ON CONFLICT (id) DO UPDATE SET document = excluded.document",
            intent["id"], intent["metadata"].get("order_id"), json.dumps(intent),
        )  # fmt: skip

    def refunds(self) -> list[dict]:
        return self.documents("SELECT document FROM refunds ORDER BY number DESC")

    def refunds_of(self, intent: str) -> list[dict]:
        return self.documents("SELECT document FROM refunds WHERE intent = ? ORDER BY number DESC", intent)

    def refund(self, identifier: str) -> dict | None:
        found = self.documents("SELECT document FROM refunds WHERE id = ?", identifier)
        return found[0] if found else None

    def write_refund(self, refund: dict) -> None:
        document = json.dumps(refund)
        self.rows(
            "INSERT INTO refunds (id, intent, document) VALUES (?, ?, ?)"
            " ON CONFLICT (id) DO UPDATE SET document = excluded.document",
            refund["id"], refund["payment_intent"], document,
        )  # fmt: skip

    def disputes(self) -> list[dict]:
        return self.documents("SELECT document FROM disputes ORDER BY number DESC")

    def disputes_of(self, intent: str) -> list[dict]:
        return self.documents("SELECT document FROM disputes WHERE intent = ?", intent)

    def write_dispute(self, dispute: dict) -> None:
        self.rows(
            "INSERT INTO disputes (intent, document) VALUES (?, ?)"
            " ON CONFLICT (intent) DO UPDATE SET document = excluded.document",
            dispute["payment_intent"], json.dumps(dispute),
        )  # fmt: skip

    def events(self) -> list[dict]:
        """Newest first."""
        return self.documents("SELECT document FROM events ORDER BY number DESC")

    def write_event(self, event: dict) -> None:
        self.rows("INSERT INTO events (document) VALUES (?)", json.dumps(event))

    def take_key(self, key: str) -> bool:
        """Claims the key unless another request holds it; a claimed key has to be released."""
        with self.lock:
            if key in self.keys_in_use:
                return False
            self.keys_in_use.add(key)
            return True

    def give_back_key(self, key: str) -> None:
        with self.lock:
            self.keys_in_use.discard(key)

    def answer(self, key: str) -> tuple[str, int, dict] | None:
        """The first request with the key, and its answer."""
        oldest = time.time() - KEPT_SECONDS
        found = self.rows("SELECT request, status, body FROM answers WHERE key = ? AND at > ?", key, oldest)
        return (found[0][0], found[0][1], json.loads(found[0][2])) if found else None

    def keep_answer(self, key: str, request: str, status: int, body: dict) -> None:
        values = key, request, status, json.dumps(body), time.time()
        self.rows("INSERT OR REPLACE INTO answers (key, request, status, body, at) VALUES (?, ?, ?, ?, ?)", *values)
