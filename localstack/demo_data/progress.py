"""Which parts of the demo data an instance has. If loading fails, the next attempt goes on with the parts that are missing."""

import json
import threading
from collections.abc import Callable
from pathlib import Path


class Progress:
    """A file beside the record of the instance, with what each part returned."""

    def __init__(self, file: Path):
        self.file = file
        self.lock = threading.Lock()
        try:
            self.done = json.loads(file.read_text())
        except FileNotFoundError:
            self.done = {}

    def once(self, part: str, work: Callable):
        """What the part returned when it was loaded, now or before."""
        if part not in self.done:
            result = work()
            with self.lock:
                self.done[part] = result
                temporary = self.file.with_suffix(".new")
                temporary.write_text(json.dumps(self.done))
                temporary.replace(self.file)
        return self.done[part]

    def forget(self) -> None:
        self.done = {}
        self.file.unlink(missing_ok=True)
