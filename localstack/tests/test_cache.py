"""run/cache.py: the cache server beside the emulator."""

import os
import shutil
import signal
import socket
from unittest import mock

from run import cache
from tests.project import Project


def ask(url: str, *words: str) -> str:
    """The server's answer to one short command."""
    host, port = url.removeprefix("redis://").split(":")
    with socket.create_connection((host, int(port)), timeout=5) as connection:
        connection.sendall(" ".join(words).encode() + b"\r\n")
        return connection.recv(65536).decode()


class Server(Project):
    def environment(self) -> dict:
        return self.get("/a")["process"]["environment"]

    def refuses(self, url: str) -> bool:
        try:
            ask(url, "PING")
        except ConnectionRefusedError:
            return True
        return False

    def test_up_starts_one_and_down_stops_it(self):
        self.up("--cache")
        url, pid = self.record()["cacheUrl"], self.record()["cachePid"]
        self.assertEqual(self.environment()["CACHE_URL"], url)
        for setting, value in (("save", ""), ("appendonly", "no"), ("maxmemory", str(64 << 20)), ("bind", "127.0.0.1"),
                               ("maxmemory-policy", "allkeys-lru")):  # fmt: skip
            self.assertEqual(ask(url, "CONFIG", "GET", setting).split("\r\n")[-2], value, setting)
        self.up()
        self.assertEqual(self.record()["cachePid"], pid)
        self.command("down")
        self.assertTrue(self.refuses(url))
        self.assertIsNone(self.record()["cachePid"])

    def test_a_dead_one_is_started_again_at_its_address(self):
        self.up()
        url, pid = self.record()["cacheUrl"], self.record()["cachePid"]
        os.kill(pid, signal.SIGKILL)
        self.assertNotIn("deploying", self.up().stdout)
        self.assertNotEqual(self.record()["cachePid"], pid)
        self.assertEqual(self.record()["cacheUrl"], url)
        self.assertIn("PONG", ask(url, "PING"))

    def test_an_address_that_is_taken_is_not_insisted_upon(self):
        self.up()
        url = self.record()["cacheUrl"]
        self.command("down")
        with socket.create_server(("127.0.0.1", int(url.rpartition(":")[2]))):
            self.up()
            self.assertNotEqual(self.record()["cacheUrl"], url)
            self.assertEqual(self.environment()["CACHE_URL"], self.record()["cacheUrl"])

    def test_it_forgets_what_it_held_when_the_data_may_be_older(self):
        self.up()
        ask(self.record()["cacheUrl"], "SET", "kept", "yes")
        os.kill(self.record()["pid"], signal.SIGKILL)  # changes since the last stop are lost
        self.up()
        self.assertEqual(ask(self.record()["cacheUrl"], "GET", "kept"), "$-1\r\n")

    def test_instances_have_their_own(self):
        self.addCleanup(self.command, "down", "--name", "second")
        self.up()
        self.up("--name", "second", "--no-build")
        self.assertNotEqual(self.record()["cacheUrl"], self.record("second")["cacheUrl"])
        self.command("down", "--name", "second")
        self.assertIn("PONG", ask(self.record()["cacheUrl"], "PING"))

    def test_without(self):
        self.up()
        url = self.record()["cacheUrl"]
        self.up("--no-cache")
        self.assertTrue(self.refuses(url))
        self.assertIsNone(self.record()["cacheUrl"])
        self.assertEqual(self.environment().get("CACHE_URL", ""), "")

    def test_the_machines_own_server_is_preferred(self):
        server = self.bin / "valkey-server"
        server.write_text("#!/bin/sh\n")
        server.chmod(0o755)
        with mock.patch.dict(os.environ, PATH=str(self.bin)):
            self.assertEqual(cache.program(), str(server))

    def test_where_there_is_none_to_be_had(self):
        (self.root / ".souk" / "redis").unlink()
        shutil.copy("/bin/true", self.bin / "cc")
        result = self.command("up", "--port", "0", path=str(self.bin))
        self.assertEqual(result.returncode, 0, result.stderr)
        warning = r"^localstack/up: warning: going on without a cache, .*there is no cache server: .*\n$"
        self.assertRegex(result.stderr, warning)
        self.assertEqual(self.get("/a")["event"]["routeKey"], "GET /a")
        self.command("down")
        self.assertIn("there is no cache server", self.refused("--port", "0", "--cache", path=str(self.bin)))
        self.assert_nothing_runs()
