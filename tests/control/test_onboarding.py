"""Opening a tenant over three databases: whole, resumable, or refused in one sentence."""

from __future__ import annotations

import io
import secrets
from typing import Any

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError

from tenants.control.models import Tenant
from tenants.control.queries import authenticate, find_user_by_email, list_memberships
from tenants.control.roles import MemberRole
from tenants.data.queries.tenant_state import get_state
from tenants.errors import Conflict, KeyServiceUnavailable
from tenants.privacy import onboarding
from tenants.privacy.onboarding import open_tenant
from tenants.scope import Actor, scope


def given(**changes: Any) -> dict[str, Any]:
    return {
        "name": "Lumen",
        "slug": f"t-{secrets.token_hex(6)}",
        "vertical": "education",
        "region": "us",
        "language": "en",
        "currency": "USD",
        "time_zone": "UTC",
        "plan": "free",
        "owner": None,
        **changes,
    }


def test_an_open_tenant_has_a_space_in_its_region(database: None, actor: Actor) -> None:
    opened = open_tenant(actor=actor, **given())
    with scope(opened.ref, actor=actor) as s:
        assert get_state(s).vertical == "education"
    assert (opened.status, opened.region) == ("active", "us")


def test_a_setting_up_that_broke_off_is_finished_by_the_next_call(
    database: None, actor: Actor, monkeypatch: pytest.MonkeyPatch
) -> None:
    values = given()

    def down(*_: object, **__: object) -> None:
        raise KeyServiceUnavailable

    with monkeypatch.context() as broken:
        broken.setattr(onboarding, "create_tenant_keys", down)
        with pytest.raises(KeyServiceUnavailable):
            open_tenant(actor=actor, **values)
    half = Tenant.objects.get(slug=values["slug"])
    assert half.status == "opening"
    assert open_tenant(actor=actor, **values).id == half.id
    assert Tenant.objects.get(slug=values["slug"]).status == "active"


def test_what_broke_off_at_the_space_keeps_its_keys(
    database: None, actor: Actor, monkeypatch: pytest.MonkeyPatch
) -> None:
    values = given()

    def down(*_: object, **__: object) -> None:
        raise KeyServiceUnavailable

    with monkeypatch.context() as broken:
        broken.setattr(onboarding, "open_space", down)
        with pytest.raises(KeyServiceUnavailable):
            open_tenant(actor=actor, **values)
    assert open_tenant(actor=actor, **values).status == "active"


def test_a_half_made_tenant_is_not_finished_as_something_else(
    database: None, actor: Actor, monkeypatch: pytest.MonkeyPatch
) -> None:
    values = given()
    monkeypatch.setattr(onboarding, "create_tenant_keys", lambda *_, **__: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        open_tenant(actor=actor, **values)
    with pytest.raises(Conflict, match="education in us"):
        open_tenant(actor=actor, **{**values, "region": "eu"})


def test_an_open_tenant_is_not_opened_again(database: None, actor: Actor) -> None:
    values = given()
    open_tenant(actor=actor, **values)
    with pytest.raises(Conflict, match="in use"):
        open_tenant(actor=actor, **values)


def run(*arguments: str) -> str:
    out = io.StringIO()
    call_command("create_tenant", *arguments, stdout=out)
    return out.getvalue()


def arguments(slug: str, **more: str) -> list[str]:
    options = {"name": "Hudson", "vertical": "finance", "region": "eu", "slug": slug, **more}
    return [part for name, value in options.items() for part in (f"--{name}", value)]


def test_the_command_prints_a_key_that_works(database: None) -> None:
    printed = run(*arguments(f"t-{secrets.token_hex(6)}"))
    key = printed.split("shown this once: ")[-1].strip()
    assert authenticate(key, remote_ip="127.0.0.1").vertical == "finance"


def test_the_command_makes_the_owner_once(database: None) -> None:
    email = f"{secrets.token_hex(6)}@example.com"
    first_output = run(*arguments(f"t-{secrets.token_hex(6)}", owner=email))
    second = run(*arguments(f"t-{secrets.token_hex(6)}", owner=email))
    owner = find_user_by_email(email)
    assert owner is not None
    assert (first_output.count("password"), second.count("password")) == (1, 0)
    assert [membership.role for membership in list_memberships(owner)] == [MemberRole.OWNER, MemberRole.OWNER]


def test_the_command_says_what_is_wrong_in_one_sentence(database: None) -> None:
    slug = f"t-{secrets.token_hex(6)}"
    run(*arguments(slug))
    with pytest.raises(CommandError, match=f"The address name '{slug}' is in use.$"):
        run(*arguments(slug))
    with pytest.raises(CommandError, match="no such region"):
        run(*arguments(f"t-{secrets.token_hex(6)}", region="mars"))


def test_the_command_names_everything_that_is_wrong_at_once(database: None) -> None:
    wrong = {"vertical": "zoo", "plan": "gold"}
    with pytest.raises(CommandError, match=r"industry is one of .* plan is one of"):
        run(*arguments(f"t-{secrets.token_hex(6)}", **wrong))
