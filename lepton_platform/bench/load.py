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
class HttpCall:
    method: str
    path: str
    body: bytes = b""


@dataclass(frozen=True, slots=True)
class LoadResult:
    """`seconds` of wall time for all calls; latencies in milliseconds."""

    n_calls: int
    seconds: float
    latencies_ms: np.ndarray[tuple[int], np.dtype[np.float64]]

    @property
    def calls_per_second(self) -> float:
        return self.n_calls / self.seconds

    def latency_percentile(self, q: float) -> float:
        return float(np.percentile(self.latencies_ms, q))


class LoadFailed(Exception):
    """A call was not answered as it should be; a benchmark with errors has no figure."""


def run_load(
    base_url: str, calls: Sequence[HttpCall], *, headers: dict[str, str], threads: int
) -> LoadResult:
    """Sends every call once, `threads` at a time, each connection taking the next when it is free.

    Raises LoadFailed at the first answer that is not 2xx.
    """
    place = urlsplit(base_url)
    failures: list[str] = []

    waiting = iter(calls)
    taking = threading.Lock()

    def send_calls(latencies_ms: list[float]) -> None:
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
            latencies_ms.append((time.perf_counter() - start) * 1000)
            if response.status >= 300:
                failures.append(f"{call.method} {call.path}: {response.status} {content[:300]!r}")
        connection.close()

    latencies: list[list[float]] = [[] for _ in range(threads)]
    seconds = _run_threads(send_calls, latencies)
    if failures:
        raise LoadFailed(failures[0])
    return LoadResult(len(calls), seconds, np.concatenate([np.array(part) for part in latencies]))


def _run_threads(send_calls: Callable[[list[float]], None], latencies: list[list[float]]) -> float:
    pool = [threading.Thread(target=send_calls, args=(part,)) for part in latencies]
    start = time.perf_counter()
    for thread in pool:
        thread.start()
    for thread in pool:
        thread.join()
    return time.perf_counter() - start
