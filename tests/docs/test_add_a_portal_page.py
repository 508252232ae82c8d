"""The worked example of docs/add-a-portal-page.md."""

from __future__ import annotations

import copy
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from django.test import Client
from django.urls import clear_url_caches

from lepton_platform import urls
from tenants.control import actions as control
from tests.docs.markdown import open_document
from tests.platform.tenants import open_test_tenant

GUIDE = open_document("docs/add-a-portal-page.md")


@pytest.fixture
def example_page(monkeypatch: pytest.MonkeyPatch, settings: Any, tmp_path: Path) -> Iterator[None]:
    """View, template and address of the guide."""
    (tmp_path / "portal").mkdir()
    template = GUIDE.get_block("templates/portal/event_kinds.html")
    (tmp_path / "portal" / "event_kinds.html").write_text(template.partition("\n")[2], encoding="utf-8")
    engines = copy.deepcopy(settings.TEMPLATES)
    engines[0]["DIRS"] = [*engines[0]["DIRS"], tmp_path]
    settings.TEMPLATES = engines
    module = ModuleType("event_kinds_of_the_guide")
    monkeypatch.setitem(sys.modules, module.__name__, module)
    for name in ("lepton_platform/portal/views/event_kinds.py", "lepton_platform/portal/urls.py"):
        exec(GUIDE.get_block(name), module.__dict__)  # noqa: S102
    monkeypatch.setattr(urls, "urlpatterns", [module.URL, *urls.urlpatterns])
    clear_url_caches()
    yield
    monkeypatch.undo()
    clear_url_caches()


def sign_in(email: str, actor: Any) -> tuple[Client, Any]:
    user = control.create_user(email=email, name="Ada", password=None, actor=actor)
    client = Client()
    client.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
    return client, user


def test_an_owner_reads_the_page_and_a_stranger_gets_404(
    example_page: None, database: None, actor: Any
) -> None:
    client, owner = sign_in("ada@docs.example", actor)
    stranger, _user = sign_in("eve@docs.example", actor)
    open_test_tenant(actor=actor, slug="guide-books", name="Guide Books", owner=owner)
    page = client.get("/t/guide-books/event-kinds/").content.decode()
    assert "<dt>purchase</dt>" in page.replace("\n", "")
    assert stranger.get("/t/guide-books/event-kinds/").status_code == 404
