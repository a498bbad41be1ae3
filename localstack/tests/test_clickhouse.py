"""clickhouse/ and run/clickhouse.py: the ClickHouse server of an instance, and shared/analytics/migrate."""

import gzip
import json
import os
import signal
import subprocess
import sys
import unittest
import urllib.error
import urllib.parse
import urllib.request

from clickhouse.account import PASSWORD, USER
from run.clickhouse import DATABASE, MIGRATE, ClickHouse
from run.instance import Instance

EVENT = {"experiment": "e", "visitor": "v", "kind": "event", "event": "Seen", "product": "p", "properties": "{}"}


class TheClickHouse(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.instance = Instance(f"test-clickhouse-{os.getpid()}")
        cls.instance.directory.mkdir(parents=True)
        cls.instance.write(name=cls.instance.name)
        cls.addClassCleanup(cls.instance.forget)
        cls.server = ClickHouse(cls.instance)
        cls.server.start()
        cls.addClassCleanup(cls.server.stop)

    def call(self, sql: str, body: bytes = b"", headers=None, **parameters: str) -> tuple[int, str]:
        query = urllib.parse.urlencode({"query": sql, "database": DATABASE, **parameters})
        account = {"X-ClickHouse-User": USER, "X-ClickHouse-Key": PASSWORD}
        request = urllib.request.Request(f"{self.instance.record['clickhouseUrl']}/?{query}", body, {**account, **(headers or {})})
        try:
            with urllib.request.urlopen(request, timeout=60) as response:
                return response.status, response.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()

    def control(self, method: str, rules=None) -> None:
        url = f"{self.instance.record['clickhouseUrl']}/_souk/faults"
        body = None if rules is None else json.dumps(rules).encode()
        urllib.request.urlopen(urllib.request.Request(url, body, method=method), timeout=10).close()

    def insert(self, *events: dict, headers=None, compress=lambda rows: rows) -> None:
        rows = "\n".join(json.dumps(EVENT | {"at": "2026-11-22 08:00:00.000", "received_at": "2026-11-22 08:00:01.000"} | each)
                         for each in events).encode()  # fmt: skip
        answer = self.call("INSERT INTO events FORMAT JSONEachRow", compress(rows), headers)
        self.assertEqual(answer, (200, ""))

    def count(self, of: str) -> int:
        return int(self.call("SELECT count() FROM events FINAL WHERE event = {of:String}", param_of=of)[1])

    def migrate(self, password: str = PASSWORD) -> subprocess.CompletedProcess:
        words = [sys.executable, str(MIGRATE), "--url", self.instance.record["clickhouseUrl"], "--user", USER]
        environment = os.environ | {"CLICKHOUSE_PASSWORD": password}
        return subprocess.run(words, env=environment, capture_output=True, text=True, check=False)

    def test_a_migration_is_carried_out_once(self):
        again = self.migrate()
        self.assertEqual((again.returncode, again.stdout, again.stderr), (0, "", ""))
        self.assertIn("0001_events.sql", self.call("SELECT name FROM migrations FINAL")[1])

    def test_another_password_is_refused(self):
        self.assertEqual(self.call("SELECT 1", headers={"X-ClickHouse-Key": "x"})[0], 403)
        self.assertIn("403", self.migrate("x").stderr)

    def test_all_rows_of_a_large_insert_are_stored_and_survive_a_kill(self):
        ids = [f"00000000-0000-4000-8000-{number:012d}" for number in range(50_000)]
        self.insert(*({"id": each, "event": "large"} for each in ids))
        self.assertEqual(self.count("large"), 50_000)
        os.kill(self.server.pid, signal.SIGKILL)
        self.server.process.wait()
        self.server.start()
        self.assertEqual(self.count("large"), 50_000)

    def test_of_two_copies_of_an_event_the_one_that_was_received_first_is_left(self):
        early = {"id": "00000000-0000-4000-8000-00000000000a", "event": "twice", "received_at": "2026-11-22 08:00:00.001"}
        late = early | {"received_at": "2026-11-22 08:00:00.002", "at": "2026-11-21 23:00:00.000"}
        for copy in (early, late, early, late):
            self.insert(copy)
            for table in ("events", "product_events"):
                found = self.call(f"SELECT received_at FROM {table} FINAL WHERE event = 'twice'")[1]
                self.assertEqual(found, "2026-11-22 08:00:00.001\n", table)

    def test_a_compressed_body_is_read(self):
        event = {"id": "00000000-0000-4000-8000-00000000000b", "event": "compressed"}
        self.insert(event, headers={"Content-Encoding": "gzip"}, compress=gzip.compress)
        self.assertEqual(self.count("compressed"), 1)

    def test_a_setting_is_that_of_its_request_alone(self):
        self.assertIn("TOO_MANY_ROWS", self.call("SELECT number FROM numbers(9)", max_result_rows="5")[1])
        self.assertEqual(self.call("SELECT count() FROM (SELECT number FROM numbers(9))"), (200, "9\n"))

    def test_an_exception_has_a_code(self):
        self.assertEqual(self.call("SELECT x FROM nowhere")[0], 404)
        status, text = self.call("SELEC 1")
        self.assertEqual(status, 500)
        self.assertIn("Code: 62", text)

    def test_a_fault_rule_fails_what_it_names(self):
        self.control("PUT", [{"path": "SELECT 4711", "status": 503, "times": 1}])
        self.assertEqual([self.call("SELECT 4711")[0] for _ in range(2)], [503, 200])
        self.control("DELETE")
