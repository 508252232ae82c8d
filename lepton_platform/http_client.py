"""HTTP on the standard library: keep-alive connections and polling of `/readyz`, for the CLI, benchmarks and checks."""

from __future__ import annotations

import http.client
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from urllib.parse import urlsplit

REQUEST_TIMEOUT_SECONDS = 60.0
PROBE_TIMEOUT_SECONDS = 5.0
POLL_SECONDS = 0.1


@dataclass(frozen=True, slots=True)
class HttpResponse:
    """A complete response; `headers` as sent by the server."""

    status: int
    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict)

    @property
    def is_success(self) -> bool:
        """Whether the status is 2xx."""
        return 200 <= self.status < 300

    def get_header(self, name: str) -> str:
        """The value of a header, empty if it is missing. Case does not matter: granian sends lower-case names."""
        for header, value in self.headers.items():
            if header.lower() == name.lower():
                return value
        return ""

    def get_text(self, max_bytes: int = 500) -> str:
        """The start of the body, for error messages."""
        return self.body[:max_bytes].decode(errors="replace")


class HttpConnection:
    """One keep-alive connection to one server, opened by the first request. Not safe for several threads."""

    def __init__(self, base_url: str, *, timeout_seconds: float = REQUEST_TIMEOUT_SECONDS) -> None:
        parts = urlsplit(base_url)
        connection_class: type[http.client.HTTPConnection] = http.client.HTTPConnection
        if parts.scheme == "https":
            connection_class = http.client.HTTPSConnection
        self._connection = connection_class(
            parts.hostname or "127.0.0.1", parts.port, timeout=timeout_seconds
        )

    def send_request(
        self,
        method: str,
        path: str,
        body: bytes = b"",
        headers: Mapping[str, str] | None = None,
    ) -> HttpResponse:
        """Sends one request and reads the whole response.

        Raises:
            OSError, http.client.HTTPException: the connection failed. It is closed, the next request opens a new one.
        """
        try:
            # An empty body is sent as None: b"" would add a Content-Length header to GET requests.
            self._connection.request(method, path, body or None, dict(headers or {}))
            response = self._connection.getresponse()
            content = response.read()
        except (OSError, http.client.HTTPException):
            self._connection.close()
            raise
        return HttpResponse(response.status, content, dict(response.getheaders()))

    def close(self) -> None:
        """Closes the socket; a later request opens a new one."""
        self._connection.close()


def build_authorization(key: str) -> dict[str, str]:
    """The `Authorization` header for an API key; empty without a key."""
    if not key:
        return {}
    return {"Authorization": f"Bearer {key}"}


def is_ready(base_url: str, *, path: str = "/readyz") -> bool:
    """Whether a GET request of `path` is answered with 200."""
    connection = HttpConnection(base_url, timeout_seconds=PROBE_TIMEOUT_SECONDS)
    try:
        return connection.send_request("GET", path).status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def wait_until_ready(
    base_url: str, *, timeout_seconds: float, before_poll: Callable[[], None] | None = None
) -> bool:
    """Polls `/readyz` until it is answered with 200.

    Args:
        base_url: address of the server.
        timeout_seconds: how long to poll.
        before_poll: called before each poll; its exceptions end the waiting.

    Returns:
        False when the time is over before the server is ready.
    """
    deadline = time.monotonic() + timeout_seconds
    while time.monotonic() < deadline:
        if before_poll is not None:
            before_poll()
        if is_ready(base_url):
            return True
        time.sleep(POLL_SECONDS)
    return False
