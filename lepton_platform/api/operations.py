"""One declaration for each operation: what it needs, takes and gives. Dispatch and schema both read it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeVar

from django.http import HttpRequest

from lepton_platform.api import bodies, idempotency
from lepton_platform.api.bodies import KIB, DecodedBatch
from lepton_platform.api.messages import ApiRequest, ApiResponse
from tenants.scope import Scope, scope

B = TypeVar("B")
T = TypeVar("T")


class RequestBody(Protocol):
    """How a request's body is read, and what the schema says about it."""

    @property
    def example(self) -> Any: ...

    def read(self, request: HttpRequest) -> tuple[bytes, Any]: ...


@dataclass(frozen=True, slots=True)
class JsonBody(Generic[T]):
    """One JSON object; with `optional`, an empty body means all defaults."""

    data_type: type[T]
    example: Any
    max_bytes: int = 256 * KIB
    optional: bool = False

    def read(self, request: HttpRequest) -> tuple[bytes, T]:
        if self.optional and request.META.get("CONTENT_LENGTH", "0") in ("", "0"):
            return b"", self.data_type()
        content = bodies.read_body(request, max_bytes=self.max_bytes)
        return content, bodies.decode_body(content, self.data_type)


@dataclass(frozen=True, slots=True)
class BatchBody(Generic[T]):
    """`{name: [row, ...]}`, at most 1,000 rows."""

    data_type: type[T]
    name: str
    example: Any
    max_bytes: int

    def read(self, request: HttpRequest) -> tuple[bytes, DecodedBatch[T]]:
        content = bodies.read_body(request, max_bytes=self.max_bytes)
        return content, bodies.decode_batch(content, self.data_type, name=self.name)


@dataclass(frozen=True, slots=True)
class BinaryBody:
    """`limits`: the media types that are taken, and how many bytes of each."""

    max_bytes_by_type: Mapping[str, int]
    example: Any = None

    @property
    def media_types(self) -> tuple[str, ...]:
        return tuple(self.max_bytes_by_type)

    def read(self, request: HttpRequest) -> tuple[bytes, bytes]:
        limit = self.max_bytes_by_type.get(bodies.get_media_type(request), 0)
        content = bodies.read_body(request, max_bytes=limit, media_types=self.media_types)
        return content, content


@dataclass(frozen=True, slots=True)
class EmptyBody:
    """No body is expected; one that is sent is not read."""

    example: Any = None
    max_bytes: int = 0

    def read(self, _request: HttpRequest) -> tuple[bytes, None]:
        return b"", None


@dataclass(frozen=True, slots=True)
class ResponseSpec:
    """`kind` is a Struct or dataclass, None for no content, or bytes for an image."""

    data_type: Any
    example: Any = None
    status: int = 200
    description: str = "As asked."


@dataclass(frozen=True, slots=True)
class QueryParameter:
    name: str
    description: str
    schema: dict[str, Any]


PAGE_PARAMETERS = (
    QueryParameter(
        "limit", "Rows on a page.", {"type": "integer", "minimum": 1, "maximum": 200, "default": 50}
    ),
    QueryParameter("cursor", "`next_cursor` of the page before.", {"type": "string"}),
)


@dataclass(frozen=True, slots=True)
class ApiOperation:
    """`codes` are the error codes of its own, besides those every operation has."""

    name: str
    method: str
    required_scope: str
    summary: str
    description: str
    body: RequestBody
    responses: tuple[ResponseSpec, ...]
    query_parameters: tuple[QueryParameter, ...]
    error_codes: tuple[str, ...]
    run: Callable[[ApiRequest[Any]], ApiResponse]

    @property
    def is_idempotent_by_key(self) -> bool:
        return self.method == "POST"


@dataclass(frozen=True, slots=True)
class OperationDeclaration:
    """The decorators of views: `inside` a scope (one transaction with the stored answer), or `outside`.

    A POST that is `outside` opens its scope itself and keeps its answer in there (`idempotency.once_in`).
    """

    name: str
    method: str
    required_scope: str
    summary: str
    responses: tuple[ResponseSpec, ...]
    description: str = ""
    body: RequestBody = EmptyBody()
    query_parameters: tuple[QueryParameter, ...] = ()
    error_codes: tuple[str, ...] = ()

    def bind_in_scope(self, view: Callable[[ApiRequest[B], Scope], ApiResponse]) -> ApiOperation:
        def run_in_scope(request: ApiRequest[B]) -> ApiResponse:
            with scope(request.tenant, actor=request.actor) as s:
                return idempotency.run_once(s, request, lambda: view(request, s))

        return self._build_operation(run_in_scope)

    def bind_without_scope(self, view: Callable[[ApiRequest[B]], ApiResponse]) -> ApiOperation:
        return self._build_operation(view)

    def _build_operation(self, run: Callable[[ApiRequest[Any]], ApiResponse]) -> ApiOperation:
        return ApiOperation(
            self.name,
            self.method,
            self.required_scope,
            self.summary,
            self.description,
            self.body,
            self.responses,
            self.query_parameters,
            self.error_codes,
            run,
        )
