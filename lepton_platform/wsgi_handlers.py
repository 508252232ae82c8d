"""The WSGI application: pages with the full middleware stack, the API with a short one."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from django.conf import settings
from django.core.handlers.exception import convert_exception_to_response
from django.core.handlers.wsgi import WSGIHandler
from django.core.wsgi import get_wsgi_application
from django.urls import get_resolver
from django.utils.module_loading import import_string

WsgiApplication = Callable[[dict[str, Any], Any], Iterable[bytes]]
API_PREFIX = "/api/v1/"


class ApiHandler(WSGIHandler):
    """Handler with `LEPTON_API_MIDDLEWARE` in place of `MIDDLEWARE`.

    API keys need no session, cookie, language or CSRF token, so three layers suffice instead of fourteen.
    """

    def load_middleware(self, is_async: bool = False) -> None:
        """Builds the chain from the inside out, as Django does, for synchronous middleware.

        The hooks `process_view`, `process_template_response` and `process_exception` are not collected: no
        middleware of the API has them.
        """
        self._view_middleware: list[Any] = []
        self._template_response_middleware: list[Any] = []
        self._exception_middleware: list[Any] = []
        handler = convert_exception_to_response(self._get_response)  # type: ignore[attr-defined]  # not in the stubs
        for path in reversed(settings.LEPTON_API_MIDDLEWARE):
            handler = convert_exception_to_response(import_string(path)(handler))
        self._middleware_chain = handler


def build_application() -> WsgiApplication:
    """Returns an application that sends requests below `/api/v1/` to `ApiHandler` and all others to Django's."""
    page_handler: WsgiApplication = get_wsgi_application()
    api_handler: WsgiApplication = ApiHandler()
    # Imports every view and its libraries now, so that the first request does not wait for them.
    get_resolver().url_patterns  # noqa: B018 - reading it imports them

    def dispatch_request(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        if environ.get("PATH_INFO", "").startswith(API_PREFIX):
            return api_handler(environ, start_response)
        return page_handler(environ, start_response)

    return dispatch_request
