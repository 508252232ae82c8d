"""The product's URLs and one view with a streaming response. The product itself streams nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from django.http import HttpRequest, StreamingHttpResponse
from django.urls import include, path

STREAMS: dict[str, Callable[[], Iterator[bytes]]] = {}
"""Body generators of `/api/v1/streams/<name>`, called when the first chunk is requested."""


def stream_chunks(_request: HttpRequest, name: str) -> StreamingHttpResponse:
    return StreamingHttpResponse(_iter_chunks(name))


def _iter_chunks(name: str) -> Iterator[bytes]:
    yield from STREAMS[name]()


urlpatterns: list[Any] = [
    path("api/v1/streams/<str:name>", stream_chunks),
    path("", include("lepton_platform.urls")),
]
