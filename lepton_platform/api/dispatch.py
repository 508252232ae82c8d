"""Handles API requests: authentication, rate limit, scope check, body decoding, operation, response.

Every error is returned as a problem document (RFC 9457).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import structlog
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.views.decorators.csrf import csrf_exempt

from lepton_platform.api import auth, errors, permissions, throttling
from lepton_platform.api.auth import Caller
from lepton_platform.api.messages import ApiRequest, ApiResponse
from lepton_platform.api.operations import ApiOperation
from tenants.control.plans import get_plan
from tenants.errors import Invalid, QuotaExceeded

MAX_ID_LENGTH = 256
View = Callable[..., HttpResponseBase]


def build_api_view(*operations: ApiOperation) -> View:
    """Builds the view of one address from the operation of each method. HEAD is answered like GET, without the body."""
    by_method = {operation.method: operation for operation in operations}
    if "GET" in by_method:
        by_method["HEAD"] = by_method["GET"]
    allowed = tuple(sorted(by_method))

    @csrf_exempt
    def handle_request(request: HttpRequest, **path: str) -> HttpResponse:
        headers = {"X-Request-Id": errors.get_request_id(request)}
        try:
            operation = by_method.get(request.method or "")
            if operation is None:
                raise errors.MethodNotAllowed(allowed)
            response = _build_http_response(_execute_operation(request, operation, path, headers))
        except Exception as error:  # the only handler: every exception becomes a problem document
            response = errors.build_error_response(request, error)
        return _set_headers(response, headers)

    return handle_request


@csrf_exempt
def handle_unknown_path(request: HttpRequest, **_path: str) -> HttpResponse:
    """Answers an address below `/api/` that no operation has, with the same headers as an operation."""
    response = errors.build_problem_response(request, "not_found", "The API has no such address.")
    return _set_headers(response, {"X-Request-Id": errors.get_request_id(request)})


def _execute_operation(
    request: HttpRequest, operation: ApiOperation, path: dict[str, str], headers: dict[str, str]
) -> ApiResponse:
    # The body is read last: callers without a valid key, a free rate or the scope can't make the server read it.
    caller = auth.authenticate_caller(request)
    structlog.contextvars.bind_contextvars(tenant=str(caller.tenant.id), key=caller.key_id)
    _check_rate_limit(caller, headers)
    permissions.require_scope(caller.scopes, operation.required_scope)
    _check_path_length(path)
    content, body = operation.body.read(request)
    api_request: ApiRequest[Any] = ApiRequest(
        http_request=request,
        caller=caller,
        path=path,
        query=request.GET.dict(),
        content=content,
        body=body,
    )
    return operation.run(api_request)


def _check_path_length(path: dict[str, str]) -> None:
    for name, value in path.items():
        if len(value) > MAX_ID_LENGTH:
            raise Invalid.from_field(
                f"/path/{name}", "length", f"An id has at most {MAX_ID_LENGTH} characters."
            )


def _check_rate_limit(caller: Caller, headers: dict[str, str]) -> None:
    plan = get_plan(caller.plan)
    limit = throttling.RateLimit(capacity=plan.request_burst, refill_per_second=plan.requests_per_second)
    status = throttling.acquire_token(str(caller.tenant.id), limit)
    # Set before the check, so that a 429 response shows the limit too.
    headers.update(status.build_headers())
    if not status.allowed:
        raise QuotaExceeded(
            "The plan's request rate is reached.", retry_after_seconds=status.retry_after_seconds
        )


def _build_http_response(api_response: ApiResponse) -> HttpResponse:
    response = HttpResponse(
        api_response.content, status=api_response.status, content_type=api_response.content_type
    )
    for name, value in api_response.headers.items():
        response[name] = value
    return response


def _set_headers(response: HttpResponse, headers: dict[str, str]) -> HttpResponse:
    for name, value in headers.items():
        response[name] = value
    response.setdefault("Cache-Control", "no-store")
    # Responses differ by key; a cache between client and server must not mix tenants.
    response["Vary"] = "Authorization"
    return response
