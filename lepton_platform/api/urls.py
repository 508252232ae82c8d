from __future__ import annotations

import re

from django.urls import URLPattern, path, register_converter

from lepton_platform.api.dispatch import resource, unknown_path
from lepton_platform.api.docs import docs, schema
from lepton_platform.api.routes import ROUTES


class _Anything:
    """A client's id may hold slashes and line ends."""

    regex = "(?s:.+)"

    def to_python(self, value: str) -> str:
        return value

    def to_url(self, value: str) -> str:
        return value


register_converter(_Anything, "anything")
_CONVERTERS = {"item_id": "anything", "profile_id": "anything"}


def _pattern(template: str) -> str:
    return re.sub(r"{(\w+)}", lambda found: f"<{_CONVERTERS.get(found[1], 'str')}:{found[1]}>", template)


urlpatterns: list[URLPattern] = [
    *(path(f"api/v1/{_pattern(template)}", resource(*operations)) for template, operations in ROUTES),
    path("api/schema", schema, name="api-schema"),
    path("docs", docs, name="api-docs"),
    path("api/", unknown_path, {"rest": ""}),
    path("api/<anything:rest>", unknown_path),
]
