"""Execution environments of provided.al2023 functions: how they start, wait, log and end.

AWS: concurrent invocations run in separate environments; an environment has Lambda's variables and none of the
machine's; its output goes to the function's log group as it is written.

ministack 1.5.33:
- a call takes 94 ms longer than the function: 50 ms of waiting for log lines, and 44 ms of Nagle's algorithm,
  because the answers of the Runtime API are sent in two segments;
- every call that finds no idle environment starts another one at once, so that 200 calls start 200 processes on
  two cores, although one of the first would be idle a few milliseconds later;
- an environment that cannot start stops the function's other environments, busy or not;
- the server of each environment wakes ten times a second: 100 idle environments use 7 % of a processor, and all threads
  wait for Python's lock more often;
- functions inherit the environment of the emulator;
- each call gets a log stream of its own, with the lines that were collected after it.
"""

import collections
import os
import socket
import socketserver
import threading
import time
from contextlib import suppress

from ministack.core import lambda_runtime
from ministack.core.responses import request_scope
from ministack.services import lambda_svc

from emulator import logs

PROCESSORS = os.cpu_count() or 1
STARTED_AT_ONCE = 2 * PROCESSORS  # environments of a function that are started without waiting for an idle one
PATIENCE_SECONDS = 0.25  # without an environment being returned, after which a waiting call starts another one
LONGEST_WAIT_SECONDS = 10
CROWD = 8 * PROCESSORS  # number of busy environments above which calls wait longer: more of them slow each other down
SELDOM_SECONDS = 5  # interval at which an idle environment's threads check whether they have to end
KNOCK_SECONDS = 0.02
PASSED_ON = ("PATH", "AWS_ENDPOINT_URL")

_starting = threading.BoundedSemaphore(STARTED_AT_ONCE)


def apply(log_directory) -> None:
    logs.open_directory(log_directory)
    socketserver.ThreadingTCPServer = RuntimeApi
    lambda_runtime.ProvidedWorker = Environment
    lambda_svc.acquire_worker = acquire
    lambda_svc.release_worker = release
    lambda_svc._provided_worker_env = variables
    lambda_svc._emit_lambda_logs = lambda *_arguments, **_options: None  # logs.py writes them as they come


def stop() -> None:
    lambda_runtime.reset()


def processes() -> dict[str, list[dict]]:
    """The processes of each function that accept invocations, so that a test can kill one."""
    found: dict[str, list[dict]] = {key[-1]: [] for key, _function in lambda_svc._functions.all_items()}
    with lambda_runtime._lock:
        environments = [environment for pool in lambda_runtime._workers.values() for environment in pool]
    for environment in environments:
        process = environment._proc
        if process is not None and process.poll() is None and environment._first_poll.is_set():
            busy = environment._current_request_id is not None
            found.setdefault(environment.func_name, []).append({"pid": process.pid, "busy": busy})
    return found


class Environment(lambda_runtime.ProvidedWorker):
    def __init__(self, name, config, code):
        super().__init__(name, config, code)
        self.scope = lambda_runtime._account_region_from_function_config(config)
        self.key = None
        self.log = logs.Stream(name, config, self.scope)

    def _build_handler_class(self, generation, pending):
        class OneSegment(super()._build_handler_class(generation, Calls(pending))):
            disable_nagle_algorithm = True
            wbufsize = -1  # headers and body leave together

        return OneSegment

    def _spawn(self, init_timeout=None):
        with _starting:
            super()._spawn(init_timeout)

    def _pump_output(self, stream, log_queue):
        super()._pump_output(logs.Tee(stream, self.log), log_queue)

    def _drain_stderr_bounded(self, first_line_wait=0.0, idle_confirm=0.0, hard_cap=0.25):
        if first_line_wait and not self._init_settled.is_set():
            return super()._drain_stderr_bounded(first_line_wait, idle_confirm, hard_cap)
        return self._drain_stderr()

    def invoke(self, event, request_id, **options):
        started = time.monotonic()
        try:
            result = super().invoke(event, request_id, **options)
        except Exception as error:  # it did not start; ministack would now stop every environment of the function
            self._teardown()
            kind = getattr(error, "error_type", "") or "Runtime.ExitError"
            payload = {"errorMessage": str(error), "errorType": kind}
            result = {"status": "error", "error": str(error), "error_payload": payload}
        self.log.report(request_id, (time.monotonic() - started) * 1000, result)
        return result


class RuntimeApi(socketserver.ThreadingTCPServer):
    """The server of an environment; it waits for connections, of which one says that it has to end."""

    def serve_forever(self, poll_interval=SELDOM_SECONDS):
        super().serve_forever(max(poll_interval, SELDOM_SECONDS))

    def shutdown(self):
        ending = threading.Thread(target=super().shutdown, daemon=True)
        ending.start()
        while ending.is_alive():
            with suppress(OSError):
                socket.create_connection(self.server_address, KNOCK_SECONDS).close()
            ending.join(KNOCK_SECONDS)


class Calls:
    """The queue of an environment's one call; it blocks instead of polling ten times a second."""

    def __init__(self, pending):
        self.pending = pending

    def get(self, timeout):
        return self.pending.get(timeout=max(timeout, SELDOM_SECONDS))


class Line:
    """The calls that wait for an environment of one function, in order of arrival."""

    def __init__(self):
        self.waiting: collections.deque[Waiter] = collections.deque()
        self.moved = time.monotonic()  # when an environment was last returned


class Waiter:
    def __init__(self):
        self.served = threading.Event()
        self.environment = None


_lines: dict[str, Line] = collections.defaultdict(Line)


def acquire(name, config, code, qualifier="$LATEST", max_concurrency=None):
    """Leases an environment, like ministack's function of this name.

    Up to STARTED_AT_ONCE environments are started on demand. Beyond that, a call waits for its turn. If no environment
    is returned for a while, the invocations are themselves waiting and use no CPU, so another environment is started,
    unless there are very many already.
    """
    key = lambda_runtime._worker_key(name, config, qualifier)
    begun = time.monotonic()
    waiter = Waiter()
    with lambda_runtime._lock:
        line = _lines[key]
        pool = lambda_runtime._workers.setdefault(key, [])
        free = next((environment for environment in pool if not environment.in_use), None)
        if free is not None:
            return lease(free), "reused"
        if len(pool) < STARTED_AT_ONCE:
            return lease(added(pool, name, config, code, key)), "spawn"
        line.waiting.append(waiter)
    while not waiter.served.wait(PATIENCE_SECONDS):
        with lambda_runtime._lock:
            pool = lambda_runtime._workers.setdefault(key, [])
            now = time.monotonic()
            crowd = crowding()
            stuck = now - line.moved > PATIENCE_SECONDS * crowd**2 or now - begun > LONGEST_WAIT_SECONDS * crowd
            if waiter.environment is None and (stuck or len(pool) < STARTED_AT_ONCE):
                line.waiting.remove(waiter)
                return lease(added(pool, name, config, code, key)), "spawn"
    return lease(waiter.environment), "reused"


def crowding() -> float:
    """The number of busy environments divided by the number that the machine can run; 1 at least."""
    busy = sum(environment.in_use for pool in lambda_runtime._workers.values() for environment in pool)
    return max(1, busy / CROWD)


def added(pool: list, name: str, config: dict, code: bytes, key: str):
    environment = lambda_runtime._worker_class_for(config)(name, config, code)
    environment.key = key
    pool.append(environment)
    return environment


def lease(environment):
    environment.in_use = True
    environment.last_used = time.time()
    return environment


def release(environment) -> None:
    """Returns an environment, or passes it to the call that has waited longest."""
    if environment is None:
        return
    with lambda_runtime._lock:
        line = _lines[environment.key]
        line.moved = time.monotonic()
        if line.waiting and environment in lambda_runtime._workers.get(environment.key, []):
            waiter = line.waiting.popleft()
            waiter.environment = environment
            waiter.served.set()
        else:
            environment.in_use = False


def variables(config: dict, code_directory: str, port: int) -> dict[str, str]:
    """The variables that Lambda defines, the emulator's address instead of AWS's, and the function's variables."""
    account, region = lambda_runtime._account_region_from_function_config(config)
    name, version = config["FunctionName"], config.get("Version", "$LATEST")
    with request_scope(account, region):
        credentials = lambda_runtime.execution_credentials(config)
    credentials["AWS_SESSION_TOKEN"] = credentials["AWS_SESSION_TOKEN"] or "local"
    return {
        **{key: os.environ[key] for key in PASSED_ON if key in os.environ},
        "AWS_LAMBDA_RUNTIME_API": f"127.0.0.1:{port}",
        "AWS_LAMBDA_FUNCTION_NAME": name,
        "AWS_LAMBDA_FUNCTION_VERSION": version,
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(config.get("MemorySize", 128)),
        "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
        "AWS_LAMBDA_LOG_GROUP_NAME": logs.group_name(config),
        "AWS_LAMBDA_LOG_STREAM_NAME": logs.stream_name(config),
        "AWS_REGION": region,
        "AWS_DEFAULT_REGION": region,
        "LAMBDA_TASK_ROOT": code_directory,
        "LANG": "en_US.UTF-8",
        "TZ": ":UTC",
        "_HANDLER": config.get("Handler", "bootstrap"),
        **credentials,
        **lambda_svc._runtime_env_vars(config),
    }
