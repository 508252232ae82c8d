"""One declaration for each operation: what it needs, takes and gives. Dispatch and schema both read it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeVar

from django.http import HttpRequest

from lepton_platform.api import bodies, idempotency
from lepton_platform.api.bodies import KIB, Batch
from lepton_platform.api.call import Call, Reply
from tenants.scope import Scope, scope

B = TypeVar("B")
T = TypeVar("T")


class Body(Protocol):
    """How a request's body is read, and what the schema says about it."""

    @property
    def example(self) -> Any: ...

    def read(self, request: HttpRequest) -> tuple[bytes, Any]: ...


@dataclass(frozen=True, slots=True)
class Json(Generic[T]):
    """One JSON object; with `optional`, an empty body means all defaults."""

    kind: type[T]
    example: Any
    limit: int = 256 * KIB
    optional: bool = False

    def read(self, request: HttpRequest) -> tuple[bytes, T]:
        if self.optional and request.META.get("CONTENT_LENGTH", "0") in ("", "0"):
            return b"", self.kind()
        content = bodies.read(request, limit=self.limit)
        return content, bodies.decode(content, self.kind)


@dataclass(frozen=True, slots=True)
class Rows(Generic[T]):
    """`{name: [row, ...]}`, at most 1,000 rows."""

    kind: type[T]
    name: str
    example: Any
    limit: int

    def read(self, request: HttpRequest) -> tuple[bytes, Batch[T]]:
        content = bodies.read(request, limit=self.limit)
        return content, bodies.decode_batch(content, self.kind, name=self.name)


@dataclass(frozen=True, slots=True)
class Binary:
    """`limits`: the media types that are taken, and how many bytes of each."""

    limits: Mapping[str, int]
    example: Any = None

    @property
    def media_types(self) -> tuple[str, ...]:
        return tuple(self.limits)

    def read(self, request: HttpRequest) -> tuple[bytes, bytes]:
        limit = self.limits.get(bodies.media_type(request), 0)
        content = bodies.read(request, limit=limit, media_types=self.media_types)
        return content, content


@dataclass(frozen=True, slots=True)
class Nothing:
    """No body is expected; one that is sent is not read."""

    example: Any = None
    limit: int = 0

    def read(self, _request: HttpRequest) -> tuple[bytes, None]:
        return b"", None


@dataclass(frozen=True, slots=True)
class Answer:
    """`kind` is a Struct or dataclass, None for no content, or bytes for an image."""

    kind: Any
    example: Any = None
    status: int = 200
    means: str = "As asked."


@dataclass(frozen=True, slots=True)
class Parameter:
    name: str
    about: str
    schema: dict[str, Any]


LISTING = (
    Parameter("limit", "Rows on a page.", {"type": "integer", "minimum": 1, "maximum": 200, "default": 50}),
    Parameter("cursor", "`next_cursor` of the page before.", {"type": "string"}),
)


@dataclass(frozen=True, slots=True)
class Operation:
    """`codes` are the error codes of its own, besides those every operation has."""

    name: str
    method: str
    needs: str
    summary: str
    about: str
    body: Body
    answers: tuple[Answer, ...]
    query: tuple[Parameter, ...]
    codes: tuple[str, ...]
    run: Callable[[Call[Any]], Reply]

    @property
    def is_idempotent_by_key(self) -> bool:
        return self.method == "POST"


@dataclass(frozen=True, slots=True)
class Declared:
    """The decorators of views: `inside` a scope (one transaction with the stored answer), or `outside`.

    A POST that is `outside` opens its scope itself and keeps its answer in there (`idempotency.once_in`).
    """

    name: str
    method: str
    needs: str
    summary: str
    answers: tuple[Answer, ...]
    about: str = ""
    body: Body = Nothing()
    query: tuple[Parameter, ...] = ()
    codes: tuple[str, ...] = ()

    def inside(self, view: Callable[[Call[B], Scope], Reply]) -> Operation:
        def run(call: Call[B]) -> Reply:
            with scope(call.tenant, actor=call.actor) as s:
                return idempotency.once_in(s, call, lambda: view(call, s))

        return self._operation(run)

    def outside(self, view: Callable[[Call[B]], Reply]) -> Operation:
        return self._operation(view)

    def _operation(self, run: Callable[[Call[Any]], Reply]) -> Operation:
        return Operation(
            self.name,
            self.method,
            self.needs,
            self.summary,
            self.about,
            self.body,
            self.answers,
            self.query,
            self.codes,
            run,
        )
