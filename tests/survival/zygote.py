"""A process with Django loaded and one thread, that forks a worker for each order and waits for its end.

Orders and answers are lines of JSON. `{"kill": ["query", 7]}` ends the fork by SIGKILL right after its seventh
query (or `"request"` to the cluster, `"step"` for a beginning or an end of a step, each also with `before-` in front,
or after so many `"seconds"`). `{"all": true}` lets each fork go on until nothing waits.
"""

import json
import os
import resource
import signal
import sys
import threading
import time
from typing import Any


def _die(*_: object) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


class _Counter:
    """Counts queries and requests, and kills at the one that was ordered."""

    def __init__(self, what: str, number: int) -> None:
        self.what, self.number = what, number
        self.counts = {"query": 0, "request": 0, "step": 0}
        self._lock = threading.Lock()

    def around(self, what: str, act: Any, *arguments: Any, **options: Any) -> Any:
        with self._lock:
            self.counts[what] += 1
            reached = self.counts[what] == self.number
        if reached and self.what == f"before-{what}":
            _die()
        try:
            return act(*arguments, **options)
        finally:
            if reached and self.what == what:
                _die()


def _work(order: dict[str, Any], answers: int) -> None:
    from django.db import connection

    from clusters import runner
    from clusters.kubernetes.wire import Wire

    what, number = order.get("kill") or ("", 0)
    counter = _Counter(what, number)
    if what == "seconds":
        signal.signal(signal.SIGALRM, _die)
        signal.setitimer(signal.ITIMER_REAL, number)
    once = Wire._once
    Wire._once = lambda *given: counter.around("request", once, *given)  # type: ignore[method-assign]

    for name in ("_start", "_end"):
        act = getattr(runner, name)
        setattr(runner, name, lambda *given, act=act: counter.around("step", act, *given))

    def wrapper(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        return counter.around("query", execute, sql, params, many, context)

    # A worker that has run before has its connection.
    connection.ensure_connection()
    began, runs = time.perf_counter(), 0
    with connection.execute_wrapper(wrapper):
        while runner.run_next():
            runs += 1
            if not order.get("all"):
                break
    seconds = time.perf_counter() - began
    connection.close()
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    told = {"ran": bool(runs), "runs": runs, "seconds": seconds, "megabytes": memory} | counter.counts
    os.write(answers, json.dumps(told).encode())


def _fork(order: dict[str, Any]) -> tuple[int, int]:
    reading, writing = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(reading)
        code = 1
        try:
            _work(order, writing)
            code = 0
        finally:
            os._exit(code)
    os.close(writing)
    return pid, reading


def _end(pid: int, reading: int) -> dict[str, Any]:
    with os.fdopen(reading, "rb") as pipe:
        said = pipe.read()
    _, status = os.waitpid(pid, 0)
    return {"killed": os.WIFSIGNALED(status), "code": status, "said": json.loads(said or b"{}")}


def main() -> None:
    import django

    django.setup()
    # What a first run would load is loaded here, once.
    import boto3  # noqa: F401
    import kubernetes.client  # noqa: F401

    import config.sockets  # noqa: F401
    from clusters import addons, looks, tasks

    addons.steps()

    # The broker has tests of its own.
    looks._send = lambda cluster_id: None
    tasks.run_deploys.delay = lambda: None
    print("{}", flush=True)
    for line in sys.stdin:
        order = json.loads(line)
        forks = [_fork(order) for _ in range(order.get("workers", 1))]
        print(json.dumps([_end(*fork) for fork in forks]), flush=True)


if __name__ == "__main__":
    main()
