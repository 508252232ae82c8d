"""Domain errors become RFC 9457 problems here and nowhere else."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import msgspec
import structlog
from django.http import HttpRequest, HttpResponse
from psycopg import errors as postgres
from uuid_utils.compat import uuid7

from tenants.errors import DomainError, FieldError, Invalid, QuotaExceeded

log = structlog.get_logger(__name__)

RETRY_SECONDS = 2
_REQUEST_ID = "lepton.request_id"
_PLAIN_REQUEST_ID = re.compile(r"[A-Za-z0-9_.-]{1,64}")


class MalformedBody(DomainError):
    """The body is not well-formed JSON in UTF-8."""

    code: ClassVar[str] = "malformed_json"


class UnsupportedMediaType(DomainError):
    """The content type or encoding of the body is not accepted here."""

    code: ClassVar[str] = "unsupported_media_type"


class LengthRequired(DomainError):
    """Send the body with a Content-Length."""

    code: ClassVar[str] = "length_required"


class MethodNotAllowed(DomainError):
    """This address does not know that method."""

    code: ClassVar[str] = "method_not_allowed"

    def __init__(self, allowed: tuple[str, ...]) -> None:
        super().__init__()
        self.allowed = allowed


class IdempotencyInFlight(DomainError):
    """A request with this Idempotency-Key is being worked on; ask again in a moment."""

    code: ClassVar[str] = "idempotency_in_flight"


@dataclass(frozen=True, slots=True)
class ProblemType:
    status: int
    title: str
    meaning: str


PROBLEM_TYPES: Mapping[str, ProblemType] = {
    "malformed_json": ProblemType(400, "Malformed JSON", "The body is not one JSON value in UTF-8."),
    "unauthenticated": ProblemType(401, "Not authenticated", "The API key is missing or not valid."),
    "forbidden": ProblemType(403, "Not allowed", "The key is valid but lacks the scope for this operation."),
    "tenant_suspended": ProblemType(
        403, "Tenant suspended", "The tenant is suspended; talk to the operator."
    ),
    "not_found": ProblemType(404, "Not found", "There is no such thing in this tenant's space."),
    "method_not_allowed": ProblemType(405, "Method not allowed", "See the Allow header."),
    "conflict": ProblemType(409, "Conflict", "The present state does not allow this change."),
    "idempotency_in_flight": ProblemType(409, "Still being worked on", "The first request still runs."),
    "length_required": ProblemType(411, "Length required", "Bodies need a Content-Length."),
    "too_large": ProblemType(413, "Too large", "The body or the batch is larger than the limit."),
    "unsupported_media_type": ProblemType(
        415, "Unsupported media type", "Send application/json, uncompressed."
    ),
    "region_not_served": ProblemType(
        421, "Region not served here", "The key belongs to a region served elsewhere."
    ),
    "invalid": ProblemType(422, "Invalid input", "Well-formed, but wrong; errors points at each field."),
    "idempotency_key_reused": ProblemType(
        422, "Idempotency-Key reused", "The key was used with another request."
    ),
    "quota_exceeded": ProblemType(429, "Too many requests", "The plan's limit is reached; see Retry-After."),
    "internal_error": ProblemType(500, "Internal error", "Our fault; quote the request id."),
    "store_unavailable": ProblemType(
        503, "Store unavailable", "A database does not answer; nothing was written."
    ),
    "key_service_unavailable": ProblemType(
        503, "Key service unavailable", "No key can be opened; nothing was written."
    ),
}

_BUSY_ERRORS = (postgres.DeadlockDetected, postgres.SerializationFailure, postgres.LockNotAvailable)


class FieldProblem(msgspec.Struct, frozen=True):
    """`pointer` is a JSON pointer into the request's body; `/query/...` names a query parameter."""

    pointer: str
    code: str
    detail: str


class Problem(msgspec.Struct, frozen=True):
    """Every error of this API, as RFC 9457 describes it."""

    type: str
    title: str
    status: int
    code: str
    detail: str
    request_id: str
    errors: list[FieldProblem]


def get_request_id(request: HttpRequest) -> str:
    """The caller's own X-Request-Id when it is plain, else the one the log has already, or a new one."""
    known = request.META.get(_REQUEST_ID)
    if known is None:
        given = request.META.get("HTTP_X_REQUEST_ID", "")
        bound = structlog.contextvars.get_contextvars().get("request_id")
        known = given if _PLAIN_REQUEST_ID.fullmatch(given) else bound or uuid7().hex
        request.META[_REQUEST_ID] = known
        structlog.contextvars.bind_contextvars(request_id=known)
    return str(known)


def build_error_response(request: HttpRequest, error: Exception) -> HttpResponse:
    """The problem for any exception; an unknown one is logged and told to nobody."""
    known = _to_domain_error(error)
    kind = PROBLEM_TYPES.get(known.code)
    if kind is None or kind.status == 500:
        match = request.resolver_match
        # The route and not the path: paths hold the clients' ids.
        log.error("api_error", exc_info=error, route=match and match.route, method=request.method)
        return build_problem_response(request, "internal_error", PROBLEM_TYPES["internal_error"].meaning)
    errors = known.errors if isinstance(known, Invalid) else []
    # One text for everything that is not there: an absent id and another tenant's answer alike, byte for byte.
    detail = kind.meaning if known.code == "not_found" else known.detail
    response = build_problem_response(request, known.code, detail, errors)
    for name, value in _build_error_headers(known, kind.status).items():
        response[name] = value
    return response


def build_problem_response(
    request: HttpRequest, code: str, detail: str, errors: list[FieldError] | None = None
) -> HttpResponse:
    kind = PROBLEM_TYPES[code]
    body = Problem(
        type=f"/docs#problem-{code}",
        title=kind.title,
        status=kind.status,
        code=code,
        detail=detail,
        request_id=get_request_id(request),
        errors=[FieldProblem(e.pointer, e.code, e.detail) for e in errors or []],
    )
    return HttpResponse(
        msgspec.json.encode(body), status=kind.status, content_type="application/problem+json"
    )


def _to_domain_error(error: Exception) -> DomainError:
    if isinstance(error, DomainError):
        return error
    cause = error.__cause__ or error
    if isinstance(cause, _BUSY_ERRORS):
        return _DatabaseBusy("The database is busy; nothing was written.")
    return _InternalError()


class _DatabaseBusy(DomainError):
    code: ClassVar[str] = "store_unavailable"


class _InternalError(DomainError):
    code: ClassVar[str] = "internal_error"


def _build_error_headers(error: DomainError, status: int) -> dict[str, str]:
    if isinstance(error, MethodNotAllowed):
        return {"Allow": ", ".join(error.allowed)}
    if isinstance(error, QuotaExceeded):
        return {"Retry-After": str(max(1, math.ceil(error.retry_after_seconds)))}
    if status == 401:
        return {"WWW-Authenticate": 'Bearer realm="lepton"'}
    if status == 503 or isinstance(error, IdempotencyInFlight):
        return {"Retry-After": str(RETRY_SECONDS)}
    return {}
