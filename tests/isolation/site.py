"""URLs of the product and a streaming answer, which the product itself has none of."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from django.http import HttpRequest, StreamingHttpResponse
from django.urls import include, path

STREAMS: dict[str, Callable[[], Iterator[bytes]]] = {}
"""What `/api/v1/streams/<name>` answers, called when the first chunk is asked for."""


def stream(_request: HttpRequest, name: str) -> StreamingHttpResponse:
    return StreamingHttpResponse(_late(name))


def _late(name: str) -> Iterator[bytes]:
    yield from STREAMS[name]()


urlpatterns: list[Any] = [
    path("api/v1/streams/<str:name>", stream),
    path("", include("lepton_platform.urls")),
]
