"""Every address of the URLconf outside the REST API, with what a stranger puts into it."""

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

API = "api/v1/"
_CONVERTED = re.compile(r"<(?:\w+:)?(\w+)>|\(\?P<(\w+)>[^)]*\)")


@dataclass(frozen=True, slots=True)
class Address:
    """`template` has its parameters in braces."""

    template: str

    @property
    def parameters(self) -> set[str]:
        return set(re.findall(r"{(\w+)}", self.template))

    def get(self, target: Target, slug: str = "") -> ClientRequest:
        return ClientRequest("GET", f"{self._path(target, slug)}?{urlencode(asked(target))}")

    def post(self, target: Target, slug: str = "") -> ClientRequest:
        body = encode_multipart(BOUNDARY, filled_in(target))
        return ClientRequest("POST", self._path(target, slug), body, MULTIPART_CONTENT)

    def _path(self, target: Target, slug: str) -> str:
        known = {**parameters(target, self.template), **({"slug": slug} if slug else {})}
        filled = re.sub(r"{(\w+)}", lambda found: quote(known[found[1]]), self.template)
        return f"/{filled}"


def addresses() -> list[Address]:
    """Of the REST API's addresses, every operation of the schema has an attack of its own."""
    found = {_template(route) for route in routes() if not route.startswith(API)}
    return [Address(one) for one in sorted(found)]


def routes() -> list[str]:
    """Of every address of the URLconf, as Django writes it."""
    return [*_routes(get_resolver().url_patterns)]


def _routes(patterns: Any, before: str = "") -> Iterator[str]:
    for one in patterns:
        route = before + str(one.pattern)
        if hasattr(one, "url_patterns"):
            yield from _routes(one.url_patterns, route)
        else:
            yield route


def _template(route: str) -> str:
    return _CONVERTED.sub(
        lambda found: f"{{{found[1] or found[2]}}}", route.replace("^", "").replace("$", "")
    )


def parameters(target: Target, template: str = "") -> Mapping[str, str]:
    """A value for every parameter of every address; an address with another one is not attacked yet."""
    person = User(pk=target.user_id)
    about = {
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
        "object_id": next((id_ for name, id_ in about.items() if f"/{name}/" in template), target.tenant_id),
        "content_type_id": "1",
        "app_label": "control",
        "url": f"data/item/{target.ids.item_id}/",
        "rest": f"v2/items/{target.ids.item_id}",
        "uidb36": user_pk_to_url_str(person),
        "key": "set-password",
        "pk": "1",
    }


def asked(target: Target) -> Mapping[str, str]:
    """Every query parameter that a page reads, and some that none should. Of the canary only a part: pages repeat it."""
    return {
        "id": target.ids.item_id,
        "q": target.part,
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


def filled_in(target: Target) -> Mapping[str, Any]:
    """Every form's fields at once: each page takes those that it knows."""
    return {
        **asked(target),
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
