"""The WSGI application: pages with everything a browser needs, the API without it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from django.conf import settings
from django.core.handlers.wsgi import WSGIHandler
from django.core.wsgi import get_wsgi_application
from django.urls import get_resolver

WsgiApplication = Callable[[dict[str, Any], Any], Iterable[bytes]]
API_PREFIX = "/api/v1/"


def build_application() -> WsgiApplication:
    """A key needs no session, cookie, language or CSRF token: requests of the API pass three layers, not fourteen."""
    pages: WsgiApplication = get_wsgi_application()
    api = _build_handler(settings.LEPTON_API_MIDDLEWARE)
    # Every view is imported now, not by the first request, and so are the libraries that they would pull in.
    get_resolver().url_patterns  # noqa: B018 - reading it imports them

    def dispatch_request(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        handler = api if environ.get("PATH_INFO", "").startswith(API_PREFIX) else pages
        return handler(environ, start_response)

    return dispatch_request


def _build_handler(middleware: list[str]) -> WsgiApplication:
    """Django reads the list when a handler is made."""
    whole = settings.MIDDLEWARE
    settings.MIDDLEWARE = middleware
    try:
        handler: WsgiApplication = WSGIHandler()
    finally:
        settings.MIDDLEWARE = whole
    return handler
