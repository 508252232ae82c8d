"""The worked example of docs/add-an-endpoint.md."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from types import ModuleType
from typing import Any

import pytest
from django.urls import clear_url_caches, path

from lepton_platform import urls
from lepton_platform.api.dispatch import build_api_view
from tenants.regions import TenantRef
from tests.docs.markdown import open_document

GUIDE = open_document("docs/add-an-endpoint.md")


@pytest.fixture
def example_route(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The operation of the guide at its address."""
    module = ModuleType("event_kinds_of_the_guide")
    monkeypatch.setitem(sys.modules, module.__name__, module)
    for name in (
        "lepton_platform/api/v1/event_kinds.py",
        "lepton_platform/api/routes.py",
        "tests/api/test_event_kinds.py",
    ):
        exec(GUIDE.get_block(name), module.__dict__)  # noqa: S102
    address, operations = module.ROUTE
    pattern = path(f"api/v1/{address}", build_api_view(*operations))
    monkeypatch.setattr(urls, "urlpatterns", [pattern, *urls.urlpatterns])
    clear_url_caches()
    yield
    monkeypatch.undo()
    clear_url_caches()


def test_the_tests_of_the_guide_pass(example_route: None, api: Any, tenant: TenantRef) -> None:
    namespace: dict[str, Any] = {}
    exec(GUIDE.get_block("tests/api/test_event_kinds.py"), namespace)  # noqa: S102
    namespace["test_the_kinds_have_their_weights"](api(tenant))
    namespace["test_a_key_without_the_scope_is_refused"](api, tenant)
