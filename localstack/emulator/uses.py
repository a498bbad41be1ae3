"""Records what roles are used for: every action, resource and leading key that a role was allowed, once, as a line of JSON.

A function's role should allow what the function does and nothing else. `tests/lint/grants.py` compares the file
`grants.jsonl` of instances with the template.
"""

import json
import threading
from pathlib import Path

from ministack.core import iam_evaluator
from ministack.core.responses import get_account_id

FILE = "grants.jsonl"

_file = Path()
_roles: dict[str, str | None] = {}
_seen: set[tuple] = set()
_lock = threading.Lock()


def open_file(directory: Path) -> None:
    global _file
    directory.mkdir(parents=True, exist_ok=True)
    _file = directory / FILE


def note(access_key: str, action: str, resource: str, keys: list[str]) -> None:
    if access_key not in _roles:
        _roles[access_key] = role_of(access_key)
    if (role := _roles[access_key]) is None:
        return
    for key in map(beginning, keys) if keys else [None]:
        use = (role, action, without_name(resource), key)
        if use in _seen:
            continue
        with _lock, _file.open("a") as file:
            _seen.add(use)
            file.write(json.dumps(dict(zip(("role", "action", "resource", "key"), use, strict=True))) + "\n")


def role_of(access_key: str) -> str | None:
    """The name of the role whose session has this key; none for other keys."""
    credential = iam_evaluator.resolve_credential(access_key, get_account_id())
    if getattr(credential, "principal_type", None) != "AssumedRole":
        return None
    return iam_evaluator._role_name_from_assumed_arn(credential.principal_arn)


def beginning(key: str) -> str:
    """What a role names of a partition key: `USER#` of `USER#1`, and the whole of a key without an id."""
    return key[: key.index("#") + 1] if "#" in key else key


def without_name(resource: str) -> str:
    """An execution is one of its machine: there is no end to their names."""
    return resource.rpartition(":")[0] + ":*" if ":execution:" in resource else resource
