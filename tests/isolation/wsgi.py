"""One request as a server makes it: environ in, chunks out, `close` at the end, which gives connections back."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from wsgiref.util import setup_testing_defaults


class Answer:
    """What the server holds between the first byte and the last."""

    def __init__(self, application: Any, path: str, *, key: str = "") -> None:
        where, _, query = path.partition("?")
        environ: dict[str, Any] = {"PATH_INFO": where, "QUERY_STRING": query, "REMOTE_ADDR": "127.0.0.1"}
        setup_testing_defaults(environ)
        environ["HTTP_HOST"] = "localhost"
        if key:
            environ["HTTP_AUTHORIZATION"] = f"Bearer {key}"
        self.status = 0
        self._body = application(environ, self._start)
        self._chunks = iter(self._body)

    def _start(self, status: str, headers: list[tuple[str, str]], exc_info: Any = None) -> None:
        self.status = int(status.partition(" ")[0])

    def chunk(self) -> bytes:
        return next(self._chunks)

    def rest(self) -> bytes:
        return b"".join(self._chunks)

    def close(self) -> None:
        """As a server does after the last chunk, and also when the client hung up before."""
        self._body.close()


@contextmanager
def answered(application: Any, path: str, *, key: str = "") -> Iterator[Answer]:
    answer = Answer(application, path, key=key)
    try:
        yield answer
    finally:
        answer.close()
