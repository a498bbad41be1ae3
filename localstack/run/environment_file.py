"""`.souk/NAME/lambda.env`: the environment of functions that run outside of the emulator.

`cargo lambda watch --env-file` gives one environment to every function that it runs, so the file holds the settings of
all functions together. They are read from the deployed functions, where CloudFormation has resolved them.
"""

import re

from run.instance import Instance
from run.project import Failure

SIMPLE = re.compile(r"[\w.:/@%+,=-]*", re.ASCII)

ACCESS_KEY = "test"  # allows everything: a function's role is not enforced outside of the emulator


def is_current(instance: Instance) -> bool:
    """Whether the file exists and has the current address of the AWS API."""
    address = f"AWS_ENDPOINT_URL={instance.record['endpointUrl']}\n"
    return instance.environment.exists() and address in instance.environment.read_text()


def write(instance: Instance, client) -> None:
    """`client` is one of the emulator's Lambda API."""
    pages = client.get_paginator("list_functions").paginate()
    functions = {each["FunctionName"]: each.get("Environment", {}).get("Variables", {})
                 for page in pages for each in page["Functions"]}  # fmt: skip
    settings = together(functions) | {
        "AWS_ENDPOINT_URL": instance.record["endpointUrl"],
        "AWS_REGION": client.meta.region_name,
        "AWS_ACCESS_KEY_ID": ACCESS_KEY,
        "AWS_SECRET_ACCESS_KEY": ACCESS_KEY,
    }
    temporary = instance.environment.with_suffix(".new")
    temporary.write_text("".join(f"{name}={quoted(value)}\n" for name, value in sorted(settings.items())))
    temporary.replace(instance.environment)


def quoted(value: str) -> str:
    """A value as cargo-lambda reads it: without quotes, a space or a parenthesis is a fault of the whole file."""
    return value if SIMPLE.fullmatch(value) else f"'{value}'"


def together(functions: dict[str, dict[str, str]]) -> dict[str, str]:
    """The settings of all functions. A name must have the same value in all of them."""
    settings: dict[str, str] = {}
    for function, variables in sorted(functions.items()):
        for name, value in variables.items():
            if settings.setdefault(name, value) != value:
                raise Failure(f"{function} has another {name} than the functions before it: call one of them differently")
            if "\n" in value or "'" in value:
                raise Failure(f"{function}: {name} has a line break or a quote, which an environment file cannot hold")
    return settings
