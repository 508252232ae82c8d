from __future__ import annotations

import re
from typing import Any

from django.test import Client

from tenants.control.queries import list_api_keys
from tenants.scope import control_scope
from tests.portal.workspace import ACTOR, Workspace

ASKED = {"name": "Shop server", "scopes": ["items:read", "events:write"], "lifetime": "90", "cidrs": ""}


def _keys(shop: Workspace) -> list[Any]:
    with control_scope(shop.ref.id, actor=ACTOR) as s:
        return list_api_keys(s)


def _secret(page: str) -> str:
    match = re.search(r"lep_live_eu_\w{50,}", page)
    assert match is not None
    return match[0]


def test_a_key_is_shown_once_and_works(shop: Workspace, owner: Any) -> None:
    response = owner.post(shop.page("keys"), ASKED)
    secret = _secret(response.content.decode())
    assert "no-store" in response["Cache-Control"]
    assert secret not in owner.get(shop.page("keys")).content.decode()
    answer = Client(headers={"Authorization": f"Bearer {secret}"}).get("/api/v1/items")
    assert answer.status_code == 200


def test_a_wrong_network_is_said_at_its_field_and_no_key_is_made(shop: Workspace, owner: Any) -> None:
    page = owner.post(shop.page("keys"), {**ASKED, "cidrs": "192.0.2.0/24\nhome"}).content.decode()
    assert "This is not a network like 192.0.2.0/24." in page
    assert "data-open-on-load" in page
    assert _keys(shop) == []


def test_rotation_leaves_the_old_key_working_for_a_while(shop: Workspace, owner: Any) -> None:
    owner.post(shop.page("keys"), ASKED)
    old = _keys(shop)[0]
    page = owner.post(shop.page("keys", f"{old.id}/rotate/"), {"hours": "24"}).content.decode()
    assert _secret(page)
    states = {key.id: key.state for key in _keys(shop)}
    assert states.pop(old.id) == "replaced"
    assert list(states.values()) == ["active"]


def test_a_revoked_key_is_revoked(shop: Workspace, owner: Any) -> None:
    owner.post(shop.page("keys"), ASKED)
    owner.post(shop.page("keys", f"{_keys(shop)[0].id}/revoke/"))
    assert _keys(shop)[0].state == "revoked"


def test_another_workspaces_key_is_404(shop: Workspace, owner: Any, lively: Workspace) -> None:
    foreign = _keys(lively)[0].id
    assert owner.post(shop.page("keys", f"{foreign}/revoke/")).status_code == 404
    assert _keys(lively)[0].state == "active"
