"""The page: its media types are texts, and the names of its files have hashes that only the page knows."""

import functools
import re

import requests
import schemathesis
from schemathesis.generation.meta import TestPhase, negated_parameters
from service import BASE, mostly, operation_of


@schemathesis.deserializer("text/html", "text/css", "text/javascript", "image/svg+xml")
def text_of(context, response):
    # What is sent with Brotli stays so: the client of the tests takes gzip alone apart.
    packed = "br" in response.headers.get("content-encoding", [])
    return "" if packed else response.content.decode()


@functools.cache
def files():
    """The names of the files that the page mentions."""
    page = requests.get(BASE + "/", timeout=15)
    page.raise_for_status()
    return sorted(set(re.findall(r"/page/([a-z-]+\.[0-9a-f]{16}\.[a-z]+)", page.text)))


@schemathesis.hook
def before_call(context, case, kwargs):
    """Most cases name a file that there is. In a conversation a name that a hook has set would be taken for one of an answer."""
    if case.meta is None or operation_of(case) != "page-file-get" or case.meta.phase.name == TestPhase.STATEFUL:
        return
    name = case.path_parameters.get("file")
    if "file" not in {broken for broken, _ in negated_parameters(case.meta)} and mostly(name):
        case.path_parameters["file"] = files()[len(str(name)) % len(files())]
