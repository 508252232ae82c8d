"""The load generator: threads with one keep-alive connection each.

Request bodies are serialised before the clock starts, so that the generator takes little time of the shared cores.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from lepton_platform.http_client import HttpConnection

GENERATOR = "http.client threads"


@dataclass(frozen=True, slots=True)
class HttpCall:
    """One request, ready to be sent."""

    method: str
    path: str
    body: bytes = b""


@dataclass(frozen=True, slots=True)
class LoadResult:
    """`seconds`: wall time for all calls. `latencies_ms`: shape (n_calls,), in no particular order."""

    n_calls: int
    seconds: float
    latencies_ms: np.ndarray[tuple[int], np.dtype[np.float64]]


class LoadFailed(Exception):
    """A response was not 2xx; a benchmark with errors has no result."""


def run_load(
    base_url: str,
    calls: Sequence[HttpCall],
    *,
    headers: dict[str, str],
    threads: int,
) -> LoadResult:
    """Sends every call once, with `threads` connections that take the next call when they are free.

    Args:
        base_url: address of the server.
        calls: the requests.
        headers: sent with each.
        threads: number of threads and connections.

    Raises:
        LoadFailed: for the first response that is not 2xx.
    """
    failures: list[str] = []
    pending = iter(calls)
    pending_lock = threading.Lock()

    def send_calls(latencies_ms: list[float]) -> None:
        connection = HttpConnection(base_url)
        # One failure stops all threads.
        while not failures:
            with pending_lock:
                call = next(pending, None)
            if call is None:
                break
            # Outside the lock, so that only the request itself is timed.
            started_at = time.perf_counter()
            response = connection.send_request(call.method, call.path, call.body, headers)
            latencies_ms.append((time.perf_counter() - started_at) * 1000)
            if not response.is_success:
                failures.append(f"{call.method} {call.path}: {response.status} {response.get_text(300)}")
        connection.close()

    latencies_by_thread: list[list[float]] = [[] for _ in range(threads)]
    seconds = _run_threads(send_calls, latencies_by_thread)
    if failures:
        raise LoadFailed(failures[0])
    latencies = np.concatenate([np.array(latencies) for latencies in latencies_by_thread])
    return LoadResult(len(calls), seconds, latencies)


def _run_threads(send_calls: Callable[[list[float]], None], latencies_by_thread: list[list[float]]) -> float:
    """Runs one thread for each list; returns the wall time in seconds."""
    pool = [threading.Thread(target=send_calls, args=(latencies,)) for latencies in latencies_by_thread]
    started_at = time.perf_counter()
    for thread in pool:
        thread.start()
    for thread in pool:
        thread.join()
    return time.perf_counter() - started_at
