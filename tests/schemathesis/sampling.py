"""A share of the faulty requests of the coverage phase: all of them are some thousand, most of which differ in a member's name."""

import os
import zlib

import schemathesis
from schemathesis.generation.meta import TestPhase

# In per cent of what the phase generates, for SOUK_HISTORIES=100, which is the default; 400 takes all.
SHARE = 25 * int(os.environ.get("SOUK_HISTORIES", "100")) // 100


@schemathesis.hook
def filter_case(context, case):
    """Takes all valid requests and, of the faulty ones, always the same."""
    if case.meta is None or case.meta.phase.name != TestPhase.COVERAGE or not case.meta.generation.mode.is_negative:
        return True
    about = case.meta.phase.data
    text = f"{case.method} {case.path} {about.parameter_location} {about.parameter} {about.location} {about.description}"
    return zlib.crc32(text.encode()) % 100 < SHARE
