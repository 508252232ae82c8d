"""Converts domain errors to problem documents (RFC 9457). Errors get their HTTP status here and nowhere else."""

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
    """This address does not support that method."""

    code: ClassVar[str] = "method_not_allowed"

    def __init__(self, allowed: tuple[str, ...]) -> None:
        super().__init__()
        self.allowed = allowed


class IdempotencyInFlight(DomainError):
    """The first request with this Idempotency-Key has not finished. Repeat the request later."""

    code: ClassVar[str] = "idempotency_in_flight"


@dataclass(frozen=True, slots=True)
class ProblemType:
    """The HTTP status, the title and the general description of an error code."""

    status: int
    title: str
    meaning: str


PROBLEM_TYPES: Mapping[str, ProblemType] = {
    "malformed_json": ProblemType(400, "Malformed JSON", "The body is not one JSON value in UTF-8."),
    "unauthenticated": ProblemType(401, "Not authenticated", "The API key is missing or not valid."),
    "forbidden": ProblemType(403, "Not allowed", "The key is valid but lacks the scope for this operation."),
    "tenant_suspended": ProblemType(
        403, "Tenant suspended", "The tenant is suspended. Contact the operator."
    ),
    "not_found": ProblemType(404, "Not found", "The tenant has no such resource."),
    "method_not_allowed": ProblemType(405, "Method not allowed", "See the Allow header."),
    "conflict": ProblemType(409, "Conflict", "The current state does not allow this change."),
    "idempotency_in_flight": ProblemType(409, "Request in progress", "The first request has not finished."),
    "length_required": ProblemType(411, "Length required", "Bodies need a Content-Length."),
    "too_large": ProblemType(413, "Too large", "The body or the batch is larger than the limit."),
    "unsupported_media_type": ProblemType(
        415, "Unsupported media type", "Send application/json, uncompressed."
    ),
    "region_not_served": ProblemType(
        421, "Region not served here", "Another installation serves the key's region."
    ),
    "invalid": ProblemType(422, "Invalid input", "Well-formed, but not valid; `errors` lists each field."),
    "idempotency_key_reused": ProblemType(
        422, "Idempotency-Key reused", "The key was used with another request."
    ),
    "quota_exceeded": ProblemType(429, "Too many requests", "The plan's limit is reached; see Retry-After."),
    "internal_error": ProblemType(500, "Internal error", "The server failed. Report the request id."),
    "store_unavailable": ProblemType(
        503, "Store unavailable", "A database is unreachable. Nothing was written."
    ),
    "key_service_unavailable": ProblemType(
        503, "Key service unavailable", "No encryption key can be unwrapped. Nothing was written."
    ),
}

# Errors after which the same request may succeed.
_BUSY_ERRORS = (postgres.DeadlockDetected, postgres.SerializationFailure, postgres.LockNotAvailable)


class FieldProblem(msgspec.Struct, frozen=True):
    """One invalid field. `pointer` is a JSON pointer into the body, or `/query/<name>` for a query parameter."""

    pointer: str
    code: str
    detail: str


class Problem(msgspec.Struct, frozen=True):
    """The body of every error response (RFC 9457)."""

    type: str
    title: str
    status: int
    code: str
    detail: str
    request_id: str
    errors: list[FieldProblem]


def get_request_id(request: HttpRequest) -> str:
    """Returns the id of a request and binds it to the log.

    It is the caller's X-Request-Id if that has 1 to 64 plain characters, else the id of the log context, else a new one.
    """
    request_id = request.META.get(_REQUEST_ID)
    if request_id is None:
        # Other characters could forge log lines or headers.
        request_id = request.META.get("HTTP_X_REQUEST_ID", "")
        if not _PLAIN_REQUEST_ID.fullmatch(request_id):
            request_id = structlog.contextvars.get_contextvars().get("request_id") or uuid7().hex
        request.META[_REQUEST_ID] = request_id
        structlog.contextvars.bind_contextvars(request_id=request_id)
    return str(request_id)


def build_error_response(request: HttpRequest, error: Exception) -> HttpResponse:
    """Builds the problem document of any exception.

    The details of an unexpected exception are logged and not returned: they may contain data of a tenant.
    """
    domain_error = _to_domain_error(error)
    problem_type = PROBLEM_TYPES.get(domain_error.code)
    if problem_type is None or problem_type.status == 500:
        match = request.resolver_match
        # The route is logged instead of the path, because paths contain ids of the client.
        log.error("api_error", exc_info=error, route=match and match.route, method=request.method)
        return build_problem_response(request, "internal_error", PROBLEM_TYPES["internal_error"].meaning)
    field_errors: list[FieldError] = []
    if isinstance(domain_error, Invalid):
        field_errors = domain_error.errors
    detail = domain_error.detail
    if domain_error.code == "not_found":
        # The same text for every absent resource: an unknown id and an id of another tenant can't be told apart.
        detail = problem_type.meaning
    response = build_problem_response(request, domain_error.code, detail, field_errors)
    for name, value in _build_error_headers(domain_error, problem_type.status).items():
        response[name] = value
    return response


def build_problem_response(
    request: HttpRequest, code: str, detail: str, errors: list[FieldError] | None = None
) -> HttpResponse:
    """Builds the problem document of an error code. `detail` describes this occurrence."""
    problem_type = PROBLEM_TYPES[code]
    body = Problem(
        type=f"/docs#problem-{code}",
        title=problem_type.title,
        status=problem_type.status,
        code=code,
        detail=detail,
        request_id=get_request_id(request),
        errors=[FieldProblem(e.pointer, e.code, e.detail) for e in errors or []],
    )
    return HttpResponse(
        msgspec.json.encode(body), status=problem_type.status, content_type="application/problem+json"
    )


def _to_domain_error(error: Exception) -> DomainError:
    if isinstance(error, DomainError):
        return error
    # Django raises its own exception from psycopg's.
    cause = error.__cause__ or error
    if isinstance(cause, _BUSY_ERRORS):
        return _DatabaseBusy("The database is busy. Nothing was written.")
    return _InternalError()


class _DatabaseBusy(DomainError):
    code: ClassVar[str] = "store_unavailable"


class _InternalError(DomainError):
    code: ClassVar[str] = "internal_error"


def _build_error_headers(error: DomainError, status: int) -> dict[str, str]:
    if isinstance(error, MethodNotAllowed):
        return {"Allow": ", ".join(error.allowed)}
    if isinstance(error, QuotaExceeded):
        # Retry-After has whole seconds; 0 would make clients repeat the request at once.
        return {"Retry-After": str(max(1, math.ceil(error.retry_after_seconds)))}
    if status == 401:
        return {"WWW-Authenticate": 'Bearer realm="lepton"'}
    # There is no estimate of how long an outage or another request takes.
    if status == 503 or isinstance(error, IdempotencyInFlight):
        return {"Retry-After": str(RETRY_SECONDS)}
    return {}
