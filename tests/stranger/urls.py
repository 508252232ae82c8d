"""Every URL of the URLconf outside the REST API, with the values that a stranger puts into it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlencode

from allauth.account.utils import user_pk_to_url_str
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test.client import BOUNDARY, MULTIPART_CONTENT, encode_multipart
from django.urls import get_resolver

from lepton_platform.management.isolation.clients import ClientRequest
from tenants.control.models import User
from tests.stranger.targets import Target

API_PREFIX = "api/v1/"
_URL_PARAMETER = re.compile(r"<(?:\w+:)?(\w+)>|\(\?P<(\w+)>[^)]*\)")


@dataclass(frozen=True, slots=True)
class PageUrl:
    """A URL outside the REST API; `template` has its parameters in braces."""

    template: str

    @property
    def parameters(self) -> set[str]:
        return set(re.findall(r"{(\w+)}", self.template))

    def get(self, target: Target, slug: str = "") -> ClientRequest:
        return ClientRequest("GET", f"{self._path(target, slug)}?{urlencode(build_query_parameters(target))}")

    def post(self, target: Target, slug: str = "") -> ClientRequest:
        body = encode_multipart(BOUNDARY, build_form_fields(target))
        return ClientRequest("POST", self._path(target, slug), body, MULTIPART_CONTENT)

    def _path(self, target: Target, slug: str) -> str:
        values = {**build_url_parameters(target, self.template), **({"slug": slug} if slug else {})}
        filled = re.sub(r"{(\w+)}", lambda match: quote(values[match[1]]), self.template)
        return f"/{filled}"


def list_page_urls() -> list[PageUrl]:
    """All URLs outside the REST API; the operations of the API have attacks of their own."""
    templates = {_convert_to_template(route) for route in list_routes() if not route.startswith(API_PREFIX)}
    return [PageUrl(template) for template in sorted(templates)]


def list_routes() -> list[str]:
    """The routes of all URLs of the URLconf, in Django's syntax."""
    return [*_iter_routes(get_resolver().url_patterns)]


def _iter_routes(patterns: Any, prefix: str = "") -> Iterator[str]:
    for pattern in patterns:
        route = prefix + str(pattern.pattern)
        if hasattr(pattern, "url_patterns"):
            yield from _iter_routes(pattern.url_patterns, route)
        else:
            yield route


def _convert_to_template(route: str) -> str:
    return _URL_PARAMETER.sub(
        lambda match: f"{{{match[1] or match[2]}}}", route.replace("^", "").replace("$", "")
    )


def build_url_parameters(target: Target, template: str = "") -> Mapping[str, str]:
    """A value for every parameter of every URL. `test_attack_coverage` fails for a parameter without a value."""
    user = User(pk=target.user_id)
    ids_by_model = {
        "tenant": target.tenant_id,
        "user": target.user_id,
        "region": "us",
        "auditentry": target.ids.job_id,
    }
    return {
        "slug": target.slug,
        "job_id": target.ids.job_id,
        "number": target.ids.version,
        "key_id": target.key_id,
        "user_id": target.user_id,
        "tenant_id": target.tenant_id,
        "region": "eu",
        "object_id": next(
            (id_ for name, id_ in ids_by_model.items() if f"/{name}/" in template), target.tenant_id
        ),
        "content_type_id": "1",
        "app_label": "control",
        "url": f"data/item/{target.ids.item_id}/",
        "rest": f"v2/items/{target.ids.item_id}",
        "uidb36": user_pk_to_url_str(user),
        "key": "set-password",
        "pk": "1",
    }


def build_query_parameters(target: Target) -> Mapping[str, str]:
    """Every query parameter that a page reads, and some that none should read.

    `q` is a part of the canary only, because pages repeat it.
    """
    return {
        "id": target.ids.item_id,
        "q": target.canary_prefix,
        "after": "0",
        "show": "all",
        "retired": target.ids.item_id,
        "s": target.slug,
        "tenant": target.slug,
        "tenant_id": target.tenant_id,
        "user": target.user_id,
        "next": f"/t/{target.slug}/overview/",
        "table": "models",
    }


def build_form_fields(target: Target) -> Mapping[str, Any]:
    """The fields of all forms at once: each page reads its own."""
    return {
        **build_query_parameters(target),
        "name": "Stolen",
        "scopes": ["items:read"],
        "lifetime": "30",
        "cidrs": "",
        "hours": "0",
        "email": target.email,
        "owner_email": target.email,
        "role": "owner",
        "expected": target.ids.version,
        "personalisation": "on",
        "basis": "notice",
        "event_retention_days": "90",
        "denied_attributes": "",
        "report_min_count": "10",
        "profile_id": target.ids.profile_id,
        "session": target.ids.item_id,
        "scenario": "default",
        "k": "12",
        "filter": '{"available": {"in": [true, false]}}',
        "rows": f'[[1, "reason", "{target.ids.item_id}"]]',
        "file": SimpleUploadedFile("items.csv", f"id,title\n{target.ids.item_id},probe\n".encode()),
        "slug": target.slug,
        "reason": "because",
        "login": target.email,
        "password": "wrong",
        "language": "en",
        "vertical": "ecommerce",
        "region": "eu",
        "currency": "EUR",
        "time_zone": "UTC",
        "plan": "enterprise",
        "_form_submitted": "on",
    }
