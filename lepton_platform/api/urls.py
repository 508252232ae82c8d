from __future__ import annotations

import re

from django.urls import URLPattern, path

from lepton_platform.api.dispatch import resource, unknown_path
from lepton_platform.api.docs import docs, schema
from lepton_platform.api.routes import ROUTES

# A client's ids may hold slashes, so these parameters take the rest of the path.
_CONVERTERS = {"item_id": "path", "profile_id": "path"}


def _pattern(template: str) -> str:
    return re.sub(r"{(\w+)}", lambda found: f"<{_CONVERTERS.get(found[1], 'str')}:{found[1]}>", template)


urlpatterns: list[URLPattern] = [
    *(path(f"api/v1/{_pattern(template)}", resource(*operations)) for template, operations in ROUTES),
    path("api/schema", schema, name="api-schema"),
    path("docs", docs, name="api-docs"),
    path("api/", unknown_path, {"rest": ""}),
    path("api/<path:rest>", unknown_path),
]
