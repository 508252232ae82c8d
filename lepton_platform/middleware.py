"""Middleware for health checks, request ids and response headers."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable

import structlog
from csp.constants import SELF
from django.conf import settings
from django.http import HttpRequest, HttpResponse, HttpResponseBase, JsonResponse
from prometheus_client import CONTENT_TYPE_LATEST

from lepton_platform.health import find_unavailable_databases
from lepton_platform.metrics import export_metrics

log = structlog.get_logger(__name__)
GetResponse = Callable[[HttpRequest], HttpResponseBase]
_PERMISSIONS_POLICY = "camera=(), geolocation=(), microphone=(), payment=(), usb=(), browsing-topics=()"


class HealthMiddleware:
    """Serves `/healthz`, `/readyz` and `/metrics` before any other middleware, so without host check and session.

    `/healthz` is answered while the process runs, `/readyz` with 200 while its databases answer, else with 503.
    `/metrics` requires `Authorization: Bearer` with LEPTON_METRICS_TOKEN and is 404 otherwise.
    """

    def __init__(self, get_response: GetResponse) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        if request.path == "/healthz":
            return HttpResponse("ok\n", content_type="text/plain")
        if request.path == "/readyz":
            unavailable = find_unavailable_databases()
            status = 503 if unavailable else 200
            return JsonResponse({"ready": not unavailable, "missing": unavailable}, status=status)
        if request.path == "/metrics" and _can_read_metrics(request):
            return HttpResponse(export_metrics(), content_type=CONTENT_TYPE_LATEST)
        return self._get_response(request)


def _can_read_metrics(request: HttpRequest) -> bool:
    token = settings.LEPTON_METRICS_TOKEN
    sent_token = request.headers.get("Authorization", "").removeprefix("Bearer ")
    # Without a token in the settings nobody may read: an empty header would equal it.
    return bool(token) and secrets.compare_digest(sent_token.encode(), token.encode())


class HeadersMiddleware:
    """Adds the Permissions-Policy and Cross-Origin-Resource-Policy headers to every response.

    Widens the content security policy of the staff pages, because django-unfold evaluates Alpine expressions.
    """

    def __init__(self, get_response: GetResponse) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        response = self._get_response(request)
        response.headers.setdefault("Permissions-Policy", _PERMISSIONS_POLICY)
        response.headers.setdefault("Cross-Origin-Resource-Policy", "same-origin")
        if request.path.startswith("/staff/"):
            # django-csp merges this attribute into the policy of the response.
            response._csp_update = {  # type: ignore[attr-defined]
                "script-src": settings.LEPTON_STAFF_SCRIPT_SOURCES,
                "style-src": [SELF, "'unsafe-inline'"],
            }
        return response


class RequestLogMiddleware:
    """Binds a request id to all log lines of a request and logs responses of status 500 and above.

    The log line contains the route but neither path nor query, because those contain ids of end users.
    """

    def __init__(self, get_response: GetResponse) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        request_id = secrets.token_hex(8)
        structlog.contextvars.clear_contextvars()
        structlog.contextvars.bind_contextvars(request_id=request_id)
        started_at = time.perf_counter()
        response = self._get_response(request)
        response.headers.setdefault("X-Request-Id", request_id)
        if response.status_code >= 500:
            match = request.resolver_match
            log.error(
                "request_failed",
                method=request.method,
                route=match.route if match else None,
                status=response.status_code,
                milliseconds=round(1000 * (time.perf_counter() - started_at), 1),
            )
        return response
