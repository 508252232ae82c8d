"""Ways to send a request: to a running server, or through the whole stack of this process."""

from __future__ import annotations

import http.client
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol
from urllib.parse import urlsplit

from django.test import Client


@dataclass(frozen=True, slots=True)
class ClientResponse:
    status: int
    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ClientRequest:
    method: str
    path: str
    body: bytes = b""
    content_type: str = "application/json"
    headers: Mapping[str, str] = field(default_factory=dict)


class ApiClient(Protocol):
    """`key` is an API key, or empty to send none."""

    def __call__(self, request: ClientRequest, *, key: str) -> ClientResponse: ...


class HttpClient:
    def __init__(self, base_url: str) -> None:
        parts = urlsplit(base_url)
        kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
        self._connection = kind(parts.hostname or "", parts.port, timeout=60)

    def __call__(self, request: ClientRequest, *, key: str) -> ClientResponse:
        headers = {**request.headers, **_build_authorization(key)}
        if request.body:
            headers["Content-Type"] = request.content_type
        self._connection.request(request.method, request.path, request.body or None, headers)
        response = self._connection.getresponse()
        return ClientResponse(response.status, response.read(), dict(response.getheaders()))

    def is_reachable(self) -> bool:
        try:
            return self(ClientRequest("GET", "/healthz"), key="").status == 200
        except OSError:
            return False

    def close(self) -> None:
        self._connection.close()


class InProcessClient:
    """URLs, middleware and views of this process, without a socket."""

    def __init__(self) -> None:
        self._client = Client(raise_request_exception=False)

    def __call__(self, request: ClientRequest, *, key: str) -> ClientResponse:
        response = self._client.generic(
            request.method,
            request.path,
            request.body,
            request.content_type,
            headers={**request.headers, **_build_authorization(key)},
            SERVER_NAME="localhost",
        )
        return ClientResponse(response.status_code, bytes(response.content), dict(response.headers))


def _build_authorization(key: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {key}"} if key else {}
