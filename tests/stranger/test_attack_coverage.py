"""What the URLconf serves is what is attacked: a new address, parameter or form field without an attack fails here."""

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
from tests.stranger.urls import API, addresses, filled_in, parameters, routes
from tests.stranger.targets import Target
from tests.stranger.variants import ways

_PARAMETER = re.compile(r"<(?:\w+:)?(\w+)>")
NOBODY = Target(
    ids=ProbeIds("item", "profile", "00000000-0000-0000-0000-000000000000", "1"),
    review_id="review", event_id="event", recommendation_id="recommendation", key="key", key_id="key-id",
    user_id="00000000-0000-0000-0000-000000000000", email="a@example.com", tenant_id="tenant", slug="slug",
    word="canary", part="can", cursors={"items": "1", "jobs": "2", "reviews": "3"},
)  # fmt: skip


@pytest.fixture
def served(database: None) -> list[AttackedOperation]:
    return list_operations(InProcessClient())


def test_every_api_operation_has_many_attack_variants(served: list[AttackedOperation]) -> None:
    assert [one.name for one in served if not one.is_covered] == []
    assert min(sum(1 for _ in ways(one)) for one in served) >= 20


def test_every_api_url_belongs_to_an_operation(served: list[AttackedOperation]) -> None:
    found = {_PARAMETER.sub(r"{\1}", f"/{one}") for one in routes() if one.startswith(API)}
    assert found == {one.path for one in served}


def test_every_url_parameter_has_an_attack_value(database: None) -> None:
    known = set(parameters(NOBODY))
    assert {one.template: one.parameters - known for one in addresses() if one.parameters - known} == {}
    assert len(addresses()) > 90


def form_fields() -> Iterator[str]:
    for module in (portal, staff):
        for one in vars(module).values():
            if (
                isinstance(one, type)
                and issubclass(one, forms.BaseForm)
                and one.__module__ == module.__name__
            ):
                fields: dict[str, Any] = one.base_fields
                yield from fields


def test_every_form_field_has_an_attack_value() -> None:
    assert set(form_fields()) - set(filled_in(NOBODY)) == set()
