"""A key that is not valid is answered in one way, whatever is wrong with it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.test import Client

from tenants.control.actions import create_api_key, revoke_api_key
from tenants.control.queries.authentication import clear_api_key_cache
from tenants.regions import TenantRef
from tenants.scope import Actor, control_scope

TENANT = "/api/v1/tenant"


def ask(authorization: str | None) -> Any:
    headers = {} if authorization is None else {"Authorization": authorization}
    return Client(headers=headers).get(TENANT, headers={"X-Request-Id": "same"})


def mistyped(key: str) -> str:
    return key[:-8] + ("A" if key[-8] != "A" else "B") + key[-7:]


def unknown(key: str) -> str:
    from tenants.control.key_format import mint_api_key

    return mint_api_key(key.split("_")[2])[1]


def test_a_missing_key_is_401_and_says_how_to_send_one(database: None) -> None:
    answer = ask(None)
    assert (answer.status_code, answer["WWW-Authenticate"]) == (401, 'Bearer realm="lepton"')


@pytest.mark.parametrize("make", [unknown, mistyped, lambda key: key + "x", lambda _key: "lep", str.upper])
def test_every_unusable_key_has_the_same_answer(owner: Any, make: Any) -> None:
    answer = ask(f"Bearer {make(owner.key)}")
    assert answer.status_code == 401
    assert answer.content == ask(None).content


@pytest.mark.parametrize("scheme", ["Basic", "Token", ""])
def test_another_scheme_has_the_same_answer(owner: Any, scheme: str) -> None:
    assert ask(f"{scheme} {owner.key}").content == ask(None).content


def test_an_expired_key_has_the_same_answer(tenant: TenantRef, actor: Actor) -> None:
    soon = datetime.now(UTC) + timedelta(milliseconds=300)
    with control_scope(tenant.id, actor=actor) as s:
        new_key = create_api_key(s, name="short", scopes=["tenant:read"], expires_at=soon)
    assert ask(f"Bearer {new_key.secret}").status_code == 200
    while datetime.now(UTC) < soon:
        pass
    assert ask(f"Bearer {new_key.secret}").content == ask(None).content


def test_a_revoked_key_has_the_same_answer(tenant: TenantRef, actor: Actor) -> None:
    with control_scope(tenant.id, actor=actor) as s:
        new_key = create_api_key(s, name="gone", scopes=["tenant:read"])
        revoke_api_key(s, new_key.key.id)
    clear_api_key_cache()
    assert ask(f"Bearer {new_key.secret}").content == ask(None).content


def test_a_missing_scope_is_403_and_names_it(reader: Any) -> None:
    answer = reader.patch("/api/v1/tenant/privacy", {"personalisation": "off"})
    assert (answer.status_code, answer.json()["code"]) == (403, "forbidden")
    assert "tenant:write" in answer.json()["detail"]


def test_a_key_of_a_region_served_elsewhere_is_421(owner: Any, settings: Any) -> None:
    settings.LEPTON_SERVED_REGIONS = ("us",)
    clear_api_key_cache()
    answer = owner.get(TENANT)
    assert (answer.status_code, answer.json()["code"]) == (421, "region_not_served")
