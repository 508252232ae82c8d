"""The way of every request: method, key, rate, scope, body, work, answer. Errors leave as problems."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import structlog
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.views.decorators.csrf import csrf_exempt

from lepton_platform.api import auth, errors, permissions, throttling
from lepton_platform.api.auth import Caller
from lepton_platform.api.call import Call, Reply
from lepton_platform.api.operations import Operation
from tenants.control.plans import plan
from tenants.errors import Invalid, QuotaExceeded

MAX_ID = 256
View = Callable[..., HttpResponseBase]


def resource(*operations: Operation) -> View:
    """One address with an operation for each method. HEAD is answered as GET without the body."""
    by_method = {operation.method: operation for operation in operations}
    if "GET" in by_method:
        by_method["HEAD"] = by_method["GET"]
    allowed = tuple(sorted(by_method))

    @csrf_exempt
    def view(request: HttpRequest, **path: str) -> HttpResponse:
        headers = {"X-Request-Id": errors.request_id(request)}
        try:
            operation = by_method.get(request.method or "")
            if operation is None:
                raise errors.MethodNotAllowed(allowed)
            response = _answer(_perform(request, operation, path, headers))
        except Exception as error:  # the one handler: whatever happens leaves as a problem
            response = errors.respond(request, error)
        return _finished(response, headers)

    return view


@csrf_exempt
def unknown_path(request: HttpRequest, **_path: str) -> HttpResponse:
    response = errors.problem(request, "not_found", "The API has no such address.")
    return _finished(response, {"X-Request-Id": errors.request_id(request)})


def _perform(
    request: HttpRequest, operation: Operation, path: dict[str, str], headers: dict[str, str]
) -> Reply:
    caller = auth.caller(request)
    structlog.contextvars.bind_contextvars(tenant=str(caller.tenant.id), key=caller.key_id)
    _take_token(caller, headers)
    permissions.require(caller.scopes, operation.needs)
    _require_short(path)
    content, body = operation.body.read(request)
    call: Call[Any] = Call(request, caller, path, request.GET.dict(), content, body)
    return operation.run(call)


def _require_short(path: dict[str, str]) -> None:
    for name, value in path.items():
        if len(value) > MAX_ID:
            raise Invalid.at(f"/path/{name}", "length", f"An id has at most {MAX_ID} characters.")


def _take_token(caller: Caller, headers: dict[str, str]) -> None:
    allowance = plan(caller.plan)
    limit = throttling.Limit(allowance.request_burst, allowance.requests_per_second)
    verdict = throttling.take(str(caller.tenant.id), limit)
    headers.update(verdict.headers())
    if not verdict.allowed:
        raise QuotaExceeded(
            "The plan's request rate is reached.", retry_after_seconds=verdict.retry_after_seconds
        )


def _answer(reply: Reply) -> HttpResponse:
    response = HttpResponse(reply.content, status=reply.status, content_type=reply.content_type)
    for name, value in reply.headers.items():
        response[name] = value
    return response


def _finished(response: HttpResponse, headers: dict[str, str]) -> HttpResponse:
    for name, value in headers.items():
        response[name] = value
    response.setdefault("Cache-Control", "no-store")
    response["Vary"] = "Authorization"
    return response
