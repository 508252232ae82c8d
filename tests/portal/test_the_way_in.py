from __future__ import annotations

import re
from typing import Any

import pytest
from django.core import mail
from django.template.loader import render_to_string

from tenants.control import actions as control
from tenants.errors import StoreUnavailable
from tenants.scope import Actor, control_scope
from tests.portal.workspace import Workspace, new_user


def test_a_new_member_sets_a_password_by_email(shop: Workspace, client: Any) -> None:
    user = new_user("Hedy")
    client.post("/account/password/reset/", {"email": user.email})
    assert [message.to for message in mail.outbox] == [[user.email]]
    link = re.search(r"/account/password/reset/key/\S+", str(mail.outbox[0].body))
    assert link is not None
    assert client.get(link[0], follow=True).status_code == 200


def test_an_unknown_address_gets_the_same_answer(database: None, client: Any) -> None:
    existing = client.post("/account/password/reset/", {"email": new_user().email})
    unknown = client.post("/account/password/reset/", {"email": "nobody@example.com"})
    assert (existing.status_code, existing.url) == (unknown.status_code, unknown.url)


@pytest.mark.parametrize("path", ["/account/signup/", "/account/email/"])
@pytest.mark.parametrize("method", ["get", "post"])
def test_nobody_signs_up_or_takes_another_address(owner: Any, path: str, method: str) -> None:
    assert getattr(owner, method)(path).status_code == 404


def test_a_suspended_workspace_is_a_403(shop: Workspace, owner: Any) -> None:
    with control_scope(shop.ref.id, actor=Actor("staff", "test")) as s:
        control.suspend_tenant(s, reason="unpaid")
    answer = owner.get(shop.page())
    assert answer.status_code == 403
    assert "This workspace is suspended" in answer.content.decode()


def test_an_outage_is_a_503_with_retry_after(
    shop: Workspace, owner: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_arguments: object) -> None:
        raise StoreUnavailable

    monkeypatch.setattr("lepton_platform.portal.views.overview.overview.load_dashboard", fail)
    answer = owner.get(shop.page())
    assert (answer.status_code, answer["Retry-After"]) == (503, "5")
    assert "A service is unavailable" in answer.content.decode()


@pytest.mark.parametrize("code", ["400", "403", "403_csrf", "404", "500", "503"])
def test_an_error_page_needs_no_request(code: str) -> None:
    page = render_to_string(f"{code}.html")
    assert re.search(rf">\s*{code[:3]}\s*<", page)


def test_an_error_page_names_the_request(owner: Any) -> None:
    answer = owner.get("/nothing-here/")
    assert answer["X-Request-Id"] in answer.content.decode()
