"""Amazon's DynamoDB Local for the tests: one process, with its data in memory."""

import atexit
import os
import urllib.error
import urllib.request
from pathlib import Path

from run import maven
from run.instance import Instance
from run.server import Server

FOLDER = Path(__file__).resolve().parent / "dynamodb-local"


def fetched() -> Path:
    """The folder of its libraries."""
    return maven.fetched(FOLDER / "pom.xml", "dynamodb-local", "DynamoDB Local", 51)


class DynamodbLocal(Server):
    name, title, start_seconds = "dynamodb", "DynamoDB Local", 60

    @classmethod
    def started(cls) -> "DynamodbLocal":
        instance = Instance(f"conformance-{os.getpid()}-table")
        instance.directory.mkdir(parents=True)
        instance.write(name=instance.name)
        server = cls(instance)
        atexit.register(server.remove)
        server.start()
        return server

    def words(self, port: int) -> list[str]:
        libraries = fetched()
        program = ["-cp", f"{libraries}/*", "org.eclipse.jetty.xml.XmlConfiguration"]
        # Properties apply to the files after them.
        return ["java", "-Xmx1g", f"-Dsqlite4java.library.path={libraries}", *program, f"port={port}", str(FOLDER / "server.xml")]

    def mark(self) -> str:
        return f"port={self.port} {FOLDER / 'server.xml'}"

    def greets(self, port: int) -> bool:
        try:
            urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=1).close()
        except urllib.error.HTTPError as error:  # it wants a signature
            return error.code == 400 and self.process.poll() is None
        return False

    @property
    def address(self) -> str:
        return self.instance.record[f"{self.name}Url"]

    def remove(self) -> None:
        self.stop()
        self.instance.forget()
