"""A client's developer: JSON over keep-alive connections with one API key."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPConnection, HTTPException
from threading import local
from typing import Any
from urllib.parse import urlsplit

MAX_ATTEMPTS = 60


class CallFailed(Exception):
    """An answer that is not 2xx; the message holds method, path, status and body."""


class BenchClient:
    """Each thread has its own connection. 429 and 503 are waited out, as their Retry-After says."""

    def __init__(self, base_url: str, key: str) -> None:
        self._address = urlsplit(base_url)
        self._headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}
        self._thread_state = local()

    def get(self, path: str) -> Any:
        return self._request_with_retries("GET", path, None)

    def post(self, path: str, body: object) -> Any:
        return self._request_with_retries("POST", path, json.dumps(body).encode())

    def close(self) -> None:
        """Ends this thread's connection, for which a server that stops would wait; others end with theirs."""
        connection = getattr(self._thread_state, "connection", None)
        if connection is not None:
            connection.close()
            self._thread_state.connection = None

    def run_in_threads(
        self,
        function: Callable[[Any], Any],
        rows: Sequence[Any],
        *,
        threads: int,
        on_progress: Callable[[float], None],
    ) -> list[Any]:
        """`work` of each row, in the order of the rows; `done` hears the fraction."""
        found = []
        with ThreadPoolExecutor(threads) as pool:
            for number, answer in enumerate(pool.map(function, rows), start=1):
                found.append(answer)
                on_progress(number / len(rows))
        return found

    def _request_with_retries(self, method: str, path: str, body: bytes | None) -> Any:
        for _ in range(MAX_ATTEMPTS):
            try:
                status, wait, content = self._send_request(method, path, body)
            except (HTTPException, OSError):
                self._thread_state.connection = None
                time.sleep(0.5)
                continue
            if status < 300:
                return json.loads(content)
            if status not in (429, 503):
                raise CallFailed(f"{method} {path}: {status} {content[:500].decode(errors='replace')}")
            time.sleep(wait)
        raise CallFailed(f"{method} {path}: no answer after {MAX_ATTEMPTS} attempts")

    def _send_request(self, method: str, path: str, body: bytes | None) -> tuple[int, float, bytes]:
        connection = getattr(self._thread_state, "connection", None)
        if connection is None:
            connection = HTTPConnection(self._address.hostname or "127.0.0.1", self._address.port, timeout=60)
            self._thread_state.connection = connection
        connection.request(method, f"/api/v1/{path}", body, self._headers)
        response = connection.getresponse()
        return response.status, float(response.headers.get("Retry-After") or 1), response.read()
