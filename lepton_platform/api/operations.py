"""Declarations of API operations. The dispatcher and the OpenAPI schema are both built from them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeVar

from django.http import HttpRequest

from lepton_platform.api import bodies, idempotency
from lepton_platform.api.bodies import KIB, DecodedBatch
from lepton_platform.api.messages import ApiRequest, ApiResponse
from tenants.scope import scope as open_scope

T = TypeVar("T")


class RequestBody(Protocol):
    """How a request's body is read, and what the schema shows of it."""

    @property
    def example(self) -> Any: ...

    def read(self, request: HttpRequest) -> tuple[bytes, Any]: ...


@dataclass(frozen=True, slots=True)
class JsonBody(Generic[T]):
    """One JSON object. With `optional`, an empty body is decoded as all defaults."""

    data_type: type[T]
    example: Any
    max_bytes: int = 256 * KIB
    optional: bool = False

    def read(self, request: HttpRequest) -> tuple[bytes, T]:
        """Returns the raw bytes and the decoded object. Raises the errors of `read_body` and `decode_body`."""
        if self.optional and request.META.get("CONTENT_LENGTH", "0") in ("", "0"):
            return b"", self.data_type()
        content = bodies.read_body(request, max_bytes=self.max_bytes)
        return content, bodies.decode_body(content, self.data_type)


@dataclass(frozen=True, slots=True)
class BatchBody(Generic[T]):
    """`{name: [row, ...]}` with at most 1,000 rows."""

    data_type: type[T]
    name: str
    example: Any
    max_bytes: int

    def read(self, request: HttpRequest) -> tuple[bytes, DecodedBatch[T]]:
        """Returns the raw bytes and the decoded rows. Raises the errors of `read_body` and `decode_batch`."""
        content = bodies.read_body(request, max_bytes=self.max_bytes)
        return content, bodies.decode_batch(content, self.data_type, name=self.name)


@dataclass(frozen=True, slots=True)
class BinaryBody:
    """A file. `max_bytes_by_type` lists the accepted media types with the size limit of each."""

    max_bytes_by_type: Mapping[str, int]
    example: Any = None

    @property
    def media_types(self) -> tuple[str, ...]:
        return tuple(self.max_bytes_by_type)

    def read(self, request: HttpRequest) -> tuple[bytes, bytes]:
        """Returns the content twice: as raw bytes and as the body. Raises the errors of `read_body`."""
        # The limit of an unknown media type is irrelevant: read_body refuses the type before it compares sizes.
        max_bytes = self.max_bytes_by_type.get(bodies.get_media_type(request), 0)
        content = bodies.read_body(request, max_bytes=max_bytes, media_types=self.media_types)
        return content, content


@dataclass(frozen=True, slots=True)
class EmptyBody:
    """No body is expected. One that is sent is not read."""

    example: Any = None
    max_bytes: int = 0

    def read(self, _request: HttpRequest) -> tuple[bytes, None]:
        """Returns no bytes and no body, without reading the request."""
        return b"", None


@dataclass(frozen=True, slots=True)
class ResponseSpec:
    """`data_type` is a Struct or dataclass, None for no content, or `bytes` for an image."""

    data_type: Any
    example: Any = None
    status: int = 200
    description: str = "The requested data."


@dataclass(frozen=True, slots=True)
class QueryParameter:
    """An optional query parameter; `schema` is its JSON schema."""

    name: str
    description: str
    schema: dict[str, Any]


PAGE_PARAMETERS = (
    QueryParameter(
        name="limit",
        description="Maximum number of rows on a page.",
        schema={"type": "integer", "minimum": 1, "maximum": 200, "default": 50},
    ),
    QueryParameter(
        name="cursor",
        description="`next_cursor` of the previous page.",
        schema={"type": "string"},
    ),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiOperation:
    """One method of one address.

    `error_codes` are the codes of this operation only; `openapi.list_error_codes` adds those that every operation has.
    """

    name: str
    method: str
    required_scope: str
    summary: str
    responses: tuple[ResponseSpec, ...]
    run: Callable[[ApiRequest[Any]], ApiResponse]
    description: str = ""
    body: RequestBody = EmptyBody()
    query_parameters: tuple[QueryParameter, ...] = ()
    error_codes: tuple[str, ...] = ()

    @property
    def is_idempotent_by_key(self) -> bool:
        return self.method == "POST"


def operation(
    *,
    name: str,
    method: str,
    scope: str,
    summary: str,
    responses: tuple[ResponseSpec, ...],
    transaction: bool = True,
    **details: Any,
) -> Callable[[Callable[..., ApiResponse]], ApiOperation]:
    """Decorates a view and makes an `ApiOperation` of it.

    Args:
        name: The OpenAPI `operationId`.
        method: The HTTP method in capital letters.
        scope: The scope that the API key must have.
        summary: One line for the documentation.
        responses: The successful responses.
        transaction: If true, the view is called as `view(request, s)` inside the tenant's scope, and the stored
            idempotent response commits together with its work. If false, the view is called as `view(request)`,
            opens its scope itself, and a POST has to call `idempotency.run_once` there.
        details: `description`, `body`, `query_parameters` and `error_codes` of `ApiOperation`.
    """

    def decorate(view: Callable[..., ApiResponse]) -> ApiOperation:
        def run_in_transaction(request: ApiRequest[Any]) -> ApiResponse:
            with open_scope(request.tenant, actor=request.actor) as s:
                return idempotency.run_once(s, request, lambda: view(request, s))

        return ApiOperation(
            name=name,
            method=method,
            required_scope=scope,
            summary=summary,
            responses=responses,
            run=run_in_transaction if transaction else view,
            **details,
        )

    return decorate
