"""Facts about state machines that several corrections need."""

import json

EXPRESS_SECONDS = 300  # after which an EXPRESS execution is ended


def is_express(machine: dict | None) -> bool:
    return (machine or {}).get("type") == "EXPRESS"


def time_limit(machine: dict) -> float | None:
    """The number of seconds after which an execution of the machine is ended."""
    own = json.loads(machine["definition"]).get("TimeoutSeconds")
    return min(own or EXPRESS_SECONDS, EXPRESS_SECONDS) if is_express(machine) else own
