"""The load generator: threads with one keep-alive connection each (standard library `http.client`).

Bodies are serialised before the clock starts, so the generator costs the shared cores little.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from http.client import HTTPConnection
from urllib.parse import urlsplit

import numpy as np

GENERATOR = "http.client threads"


@dataclass(frozen=True, slots=True)
class Call:
    method: str
    path: str
    body: bytes = b""


@dataclass(frozen=True, slots=True)
class Load:
    """`seconds` of wall time for all calls; latencies in milliseconds."""

    calls: int
    seconds: float
    latencies_ms: np.ndarray[tuple[int], np.dtype[np.float64]]

    @property
    def per_second(self) -> float:
        return self.calls / self.seconds

    def percentile(self, q: float) -> float:
        return float(np.percentile(self.latencies_ms, q))


class LoadFailed(Exception):
    """A call was not answered as it should be; a benchmark with errors has no figure."""


def drive(base_url: str, calls: Sequence[Call], *, headers: dict[str, str], threads: int) -> Load:
    """Sends every call once, `threads` at a time, each connection taking the next when it is free.

    Raises LoadFailed at the first answer that is not 2xx.
    """
    place = urlsplit(base_url)
    failures: list[str] = []

    waiting = iter(calls)
    taking = threading.Lock()

    def worker(out: list[float]) -> None:
        connection = HTTPConnection(place.hostname or "127.0.0.1", place.port, timeout=60)
        while not failures:
            with taking:
                call = next(waiting, None)
            if call is None:
                break
            start = time.perf_counter()
            connection.request(call.method, call.path, call.body or None, headers)
            response = connection.getresponse()
            content = response.read()
            out.append((time.perf_counter() - start) * 1000)
            if response.status >= 300:
                failures.append(f"{call.method} {call.path}: {response.status} {content[:300]!r}")
        connection.close()

    latencies: list[list[float]] = [[] for _ in range(threads)]
    seconds = _run(worker, latencies)
    if failures:
        raise LoadFailed(failures[0])
    return Load(len(calls), seconds, np.concatenate([np.array(part) for part in latencies]))


def _run(worker: Callable[[list[float]], None], out: list[list[float]]) -> float:
    pool = [threading.Thread(target=worker, args=(part,)) for part in out]
    start = time.perf_counter()
    for thread in pool:
        thread.start()
    for thread in pool:
        thread.join()
    return time.perf_counter() - start
