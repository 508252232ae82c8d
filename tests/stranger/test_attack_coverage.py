"""Everything in the URLconf is attacked: a new URL, parameter or form field without an attack value fails here."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest
from django import forms

from lepton_platform.management.isolation.attack import AttackedOperation, list_operations
from lepton_platform.management.isolation.clients import InProcessClient
from lepton_platform.management.isolation.tenant_pair import ProbeIds
from lepton_platform.portal import forms as portal
from lepton_platform.staff.pages import tenant_forms as staff
from tests.stranger.targets import Target
from tests.stranger.urls import (
    API_PREFIX,
    build_form_fields,
    build_url_parameters,
    list_page_urls,
    list_routes,
)
from tests.stranger.variants import iter_variants

_PARAMETER = re.compile(r"<(?:\w+:)?(\w+)>")
NOBODY = Target(
    ids=ProbeIds("item", "profile", "00000000-0000-0000-0000-000000000000", "1"),
    review_id="review", event_id="event", recommendation_id="recommendation", idempotency_prefix="key", key_id="key-id",
    user_id="00000000-0000-0000-0000-000000000000", email="a@example.com", tenant_id="tenant", slug="slug",
    canary="canary", canary_prefix="can", cursors={"items": "1", "jobs": "2", "reviews": "3"},
)  # fmt: skip


@pytest.fixture
def operations(database: None) -> list[AttackedOperation]:
    return list_operations(InProcessClient())


def test_every_api_operation_has_many_attack_variants(operations: list[AttackedOperation]) -> None:
    assert [operation.name for operation in operations if not operation.is_covered] == []
    assert min(sum(1 for _ in iter_variants(operation)) for operation in operations) >= 20


def test_every_api_url_belongs_to_an_operation(operations: list[AttackedOperation]) -> None:
    paths = {_PARAMETER.sub(r"{\1}", f"/{route}") for route in list_routes() if route.startswith(API_PREFIX)}
    assert paths == {operation.path for operation in operations}


def test_every_url_parameter_has_an_attack_value(database: None) -> None:
    known_parameters = set(build_url_parameters(NOBODY))
    assert {
        url.template: url.parameters - known_parameters
        for url in list_page_urls()
        if url.parameters - known_parameters
    } == {}
    assert len(list_page_urls()) > 90


def iter_form_fields() -> Iterator[str]:
    for module in (portal, staff):
        for form_class in vars(module).values():
            if (
                isinstance(form_class, type)
                and issubclass(form_class, forms.BaseForm)
                and form_class.__module__ == module.__name__
            ):
                fields: dict[str, Any] = form_class.base_fields
                yield from fields


def test_every_form_field_has_an_attack_value() -> None:
    assert set(iter_form_fields()) - set(build_form_fields(NOBODY)) == set()
