"""API clients of the isolation check: over HTTP to a running server, or through this process's middleware and views."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

from django.test import Client

from lepton_platform.http_client import HttpConnection, HttpResponse, build_authorization, is_ready


@dataclass(frozen=True, slots=True)
class ClientRequest:
    """A request without authorization; `content_type` is sent with a body only."""

    method: str
    path: str
    body: bytes = b""
    content_type: str = "application/json"
    headers: Mapping[str, str] = field(default_factory=dict)


class ApiClient(Protocol):
    """Sends a request with an API key; an empty `key` sends none."""

    def __call__(self, request: ClientRequest, *, key: str) -> HttpResponse:
        """Returns every response, whatever its status."""


class HttpClient:
    """Sends requests to a running server over one connection."""

    def __init__(self, base_url: str) -> None:
        self._base_url = base_url
        self._connection = HttpConnection(base_url)

    def __call__(self, request: ClientRequest, *, key: str) -> HttpResponse:
        """Sends one request. Raises OSError."""
        headers = {**request.headers, **build_authorization(key)}
        if request.body:
            headers["Content-Type"] = request.content_type
        return self._connection.send_request(request.method, request.path, request.body, headers)

    def is_reachable(self) -> bool:
        """Whether the server's process answers."""
        return is_ready(self._base_url, path="/healthz")

    def close(self) -> None:
        """Closes the connection."""
        self._connection.close()


class InProcessClient:
    """Calls the URLs, middleware and views of this process, without a socket."""

    def __init__(self) -> None:
        # An exception in a view must become a 500 response, as a server would send it.
        self._client = Client(raise_request_exception=False)

    def __call__(self, request: ClientRequest, *, key: str) -> HttpResponse:
        """Handles one request in this thread."""
        response = self._client.generic(
            request.method,
            request.path,
            request.body,
            request.content_type,
            headers={**request.headers, **build_authorization(key)},
            SERVER_NAME="localhost",
        )
        return HttpResponse(response.status_code, bytes(response.content), dict(response.headers))
