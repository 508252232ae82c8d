"""URL patterns of the API, its schema and its documentation."""

from __future__ import annotations

import re

from django.urls import URLPattern, path, register_converter

from lepton_platform.api.dispatch import build_api_view, handle_unknown_path
from lepton_platform.api.docs import serve_schema, show_docs
from lepton_platform.api.routes import ROUTES


class _AnyPathConverter:
    """Matches any text: an id of a client may contain slashes and line breaks."""

    regex = "(?s:.+)"

    def to_python(self, value: str) -> str:
        return value

    def to_url(self, value: str) -> str:
        return value


register_converter(_AnyPathConverter, "anything")
_CONVERTERS = {"item_id": "anything", "profile_id": "anything"}


def _build_pattern(template: str) -> str:
    """Converts an OpenAPI path template (`items/{item_id}`) to a Django pattern (`items/<anything:item_id>`)."""

    def format_parameter(match: re.Match[str]) -> str:
        name = match[1]
        return f"<{_CONVERTERS.get(name, 'str')}:{name}>"

    return re.sub(r"{(\w+)}", format_parameter, template)


urlpatterns: list[URLPattern] = [
    *(
        path(f"api/v1/{_build_pattern(template)}", build_api_view(*operations))
        for template, operations in ROUTES
    ),
    path("api/schema", serve_schema, name="api-schema"),
    path("docs", show_docs, name="api-docs"),
    path("api/", handle_unknown_path, {"rest": ""}),
    path("api/<anything:rest>", handle_unknown_path),
]
