"""A client of the JSON API with one API key, which waits out rate limits and restarts."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPException
from threading import local
from typing import Any

from lepton_platform.http_client import HttpConnection, HttpResponse, build_authorization

MAX_ATTEMPTS = 60


class CallFailed(Exception):
    """A response that is not 2xx; the message holds method, path, status and body."""


class BenchClient:
    """Sends requests below `/api/v1/`; safe for threads, each has its own connection.

    Responses 429 and 503 are retried after their Retry-After, failed connections after half a second.
    """

    def __init__(self, base_url: str, key: str) -> None:
        self._base_url = base_url
        self._headers = {**build_authorization(key), "Content-Type": "application/json"}
        self._thread_state = local()

    def get(self, path: str) -> Any:
        """The parsed body of a GET. Raises CallFailed."""
        return self._request_with_retries("GET", path, b"")

    def post(self, path: str, body: object) -> Any:
        """The parsed body of the response to a JSON POST. Raises CallFailed."""
        return self._request_with_retries("POST", path, json.dumps(body).encode())

    def close(self) -> None:
        """Closes this thread's connection; a server that stops would wait for it. Others end with their threads."""
        self._get_connection().close()

    def run_in_threads(
        self,
        function: Callable[[Any], Any],
        rows: Sequence[Any],
        *,
        threads: int,
        on_progress: Callable[[float], None],
    ) -> list[Any]:
        """Calls `function` for each row in a thread pool.

        Args:
            function: called with one row.
            rows: the rows.
            threads: size of the pool.
            on_progress: receives the fraction of finished rows.

        Returns:
            The results in the order of the rows.
        """
        results = []
        with ThreadPoolExecutor(threads) as pool:
            for count, result in enumerate(pool.map(function, rows), start=1):
                results.append(result)
                on_progress(count / len(rows))
        return results

    def _request_with_retries(self, method: str, path: str, body: bytes) -> Any:
        for _ in range(MAX_ATTEMPTS):
            try:
                response = self._send_request(method, path, body)
            except (HTTPException, OSError):
                # The server may be restarting. Repeating is safe: items are upserted, events with times deduplicated.
                time.sleep(0.5)
                continue
            if response.is_success:
                return json.loads(response.body)
            if response.status not in (429, 503):
                raise CallFailed(f"{method} {path}: {response.status} {response.get_text()}")
            time.sleep(float(response.get_header("Retry-After") or 1))
        raise CallFailed(f"{method} {path}: no answer after {MAX_ATTEMPTS} attempts")

    def _send_request(self, method: str, path: str, body: bytes) -> HttpResponse:
        return self._get_connection().send_request(method, f"/api/v1/{path}", body, self._headers)

    def _get_connection(self) -> HttpConnection:
        # threading.local: each thread sees its own attribute.
        if not hasattr(self._thread_state, "connection"):
            self._thread_state.connection = HttpConnection(self._base_url)
        connection: HttpConnection = self._thread_state.connection
        return connection
