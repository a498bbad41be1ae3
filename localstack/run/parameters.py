"""The template's parameters: refused as CloudFormation refuses them, before anything is started or deployed."""

import re
from collections.abc import Iterator
from decimal import Decimal, InvalidOperation

LISTS = ("CommaDelimitedList", "List<")


def faults(declared: dict[str, dict], given: dict[str, str]) -> list[str]:
    """One line for each fault of the parameters that are given. It omits the value, which may be a secret."""
    found = [f"Parameters: [{name}] do not exist in the template" for name in given if name not in declared]
    for name, value in given.items():
        found += [f"Parameter {name!r} {fault}" for fault in faults_of(declared.get(name, {}), value)]
    return found


def missing(declared: dict[str, dict], given: dict[str, str]) -> list[str]:
    """One line for each parameter that has neither a value nor a default."""
    without = [name for name, rules in declared.items() if "Default" not in rules and name not in given]
    return [f"Parameters: [{name}] must have values" for name in without]


def faults_of(rules: dict, value: str) -> Iterator[str]:
    kind = rules.get("Type", "String")
    values = [item.strip() for item in value.split(",")] if kind.startswith(LISTS) else [value]
    for item in values:
        if kind in ("Number", "List<Number>"):
            yield from faults_of_number(rules, item)
        else:
            yield from faults_of_text(rules, item)
        allowed = [text(one) for one in rules.get("AllowedValues", [])]
        if allowed and item not in allowed:
            yield f"must be one of {', '.join(allowed)}"


def faults_of_number(rules: dict, value: str) -> Iterator[str]:
    try:
        number = Decimal(value)
    except InvalidOperation:
        number = Decimal("NaN")
    if not number.is_finite():
        yield "must be a number"
        return
    if "MinValue" in rules and number < Decimal(str(rules["MinValue"])):
        yield f"must be a number not less than {rules['MinValue']}"
    if "MaxValue" in rules and number > Decimal(str(rules["MaxValue"])):
        yield f"must be a number not greater than {rules['MaxValue']}"


def faults_of_text(rules: dict, value: str) -> Iterator[str]:
    if "MinLength" in rules and len(value) < int(rules["MinLength"]):
        yield f"must contain at least {rules['MinLength']} characters"
    if "MaxLength" in rules and len(value) > int(rules["MaxLength"]):
        yield f"must contain at most {rules['MaxLength']} characters"
    pattern = rules.get("AllowedPattern")
    if pattern is not None and not re.fullmatch(pattern, value):
        yield f"failed to satisfy constraint: {rules.get('ConstraintDescription', f'it must match {pattern}')}"


def text(value) -> str:
    """A value of the template, written as CloudFormation does."""
    return str(value).lower() if isinstance(value, bool) else str(value)
