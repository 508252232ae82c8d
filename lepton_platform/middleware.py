"""Health answers before anything else, and the response headers that no package sets."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable

import structlog
from csp.constants import SELF
from django.conf import settings
from django.http import HttpRequest, HttpResponse, HttpResponseBase, JsonResponse
from prometheus_client import CONTENT_TYPE_LATEST

from lepton_platform.metrics import export_metrics, find_unavailable_databases

log = structlog.get_logger(__name__)
GetResponse = Callable[[HttpRequest], HttpResponseBase]
_PERMISSIONS_POLICY = "camera=(), geolocation=(), microphone=(), payment=(), usb=(), browsing-topics=()"


class HealthMiddleware:
    """`/healthz`: the process answers. `/readyz`: so do its databases. Neither needs a host or session.

    `/metrics` is for whoever holds LEPTON_METRICS_TOKEN, as `Authorization: Bearer`; without that setting it is absent.
    """

    def __init__(self, get_response: GetResponse) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        if request.path == "/healthz":
            return HttpResponse("ok\n", content_type="text/plain")
        if request.path == "/readyz":
            missing = find_unavailable_databases()
            return JsonResponse({"ready": not missing, "missing": missing}, status=503 if missing else 200)
        if request.path == "/metrics" and _can_read_metrics(request):
            return HttpResponse(export_metrics(), content_type=CONTENT_TYPE_LATEST)
        return self._get_response(request)


def _can_read_metrics(request: HttpRequest) -> bool:
    token = settings.LEPTON_METRICS_TOKEN
    given = request.headers.get("Authorization", "").removeprefix("Bearer ")
    return bool(token) and secrets.compare_digest(given.encode(), token.encode())


class HeadersMiddleware:
    """Permissions policy everywhere; on the staff pages the wider script policy that their toolkit needs."""

    def __init__(self, get_response: GetResponse) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        response = self._get_response(request)
        response.headers.setdefault("Permissions-Policy", _PERMISSIONS_POLICY)
        response.headers.setdefault("Cross-Origin-Resource-Policy", "same-origin")
        if request.path.startswith("/staff/"):
            response._csp_update = {  # type: ignore[attr-defined]
                "script-src": settings.LEPTON_STAFF_SCRIPT_SOURCES,
                "style-src": [SELF, "'unsafe-inline'"],
            }
        return response


class RequestLogMiddleware:
    """Gives each request an id, which every log line of it carries, and logs those that fail.

    The line names the route, never the path or the query: those hold ids of a client's end users.
    """

    def __init__(self, get_response: GetResponse) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        request_id = secrets.token_hex(8)
        structlog.contextvars.clear_contextvars()
        structlog.contextvars.bind_contextvars(request_id=request_id)
        began = time.perf_counter()
        response = self._get_response(request)
        response.headers.setdefault("X-Request-Id", request_id)
        if response.status_code >= 500:
            match = request.resolver_match
            log.error(
                "request_failed",
                method=request.method,
                route=match.route if match else None,
                status=response.status_code,
                milliseconds=round(1000 * (time.perf_counter() - began), 1),
            )
        return response
