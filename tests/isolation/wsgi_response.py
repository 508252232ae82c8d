"""One WSGI request as a server handles it: environ, chunks and a final `close`, which releases connections."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from wsgiref.util import setup_testing_defaults


class WsgiResponse:
    """A response whose body is being sent."""

    def __init__(self, application: Any, path: str, *, key: str = "") -> None:
        path_info, _, query = path.partition("?")
        environ: dict[str, Any] = {"PATH_INFO": path_info, "QUERY_STRING": query, "REMOTE_ADDR": "127.0.0.1"}
        setup_testing_defaults(environ)
        environ["HTTP_HOST"] = "localhost"
        if key:
            environ["HTTP_AUTHORIZATION"] = f"Bearer {key}"
        self.status = 0
        self._body = application(environ, self._start)
        self._chunks = iter(self._body)

    def _start(self, status: str, headers: list[tuple[str, str]], exc_info: Any = None) -> None:
        self.status = int(status.partition(" ")[0])

    def read_chunk(self) -> bytes:
        return next(self._chunks)

    def read_remaining(self) -> bytes:
        return b"".join(self._chunks)

    def close(self) -> None:
        """Closes the body as a server does: after the last chunk or when the client has disconnected."""
        self._body.close()


@contextmanager
def open_response(application: Any, path: str, *, key: str = "") -> Iterator[WsgiResponse]:
    response = WsgiResponse(application, path, key=key)
    try:
        yield response
    finally:
        response.close()
