"""Opening a tenant spans three databases: it completes, can be resumed, or is refused in one sentence."""

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


def build_values(**changes: Any) -> dict[str, Any]:
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


def test_an_open_tenant_has_state_in_its_region(database: None, actor: Actor) -> None:
    opened = open_tenant(actor=actor, **build_values())
    with scope(opened.ref, actor=actor) as s:
        assert get_state(s).vertical == "education"
    assert (opened.status, opened.region) == ("active", "us")


def test_an_interrupted_onboarding_is_completed_by_the_next_call(
    database: None, actor: Actor, monkeypatch: pytest.MonkeyPatch
) -> None:
    values = build_values()

    def raise_unavailable(*_: object, **__: object) -> None:
        raise KeyServiceUnavailable

    with monkeypatch.context() as patch:
        patch.setattr(onboarding, "create_tenant_keys", raise_unavailable)
        with pytest.raises(KeyServiceUnavailable):
            open_tenant(actor=actor, **values)
    incomplete = Tenant.objects.get(slug=values["slug"])
    assert incomplete.status == "opening"
    assert open_tenant(actor=actor, **values).id == incomplete.id
    assert Tenant.objects.get(slug=values["slug"]).status == "active"


def test_an_onboarding_interrupted_after_the_keys_is_completed(
    database: None, actor: Actor, monkeypatch: pytest.MonkeyPatch
) -> None:
    values = build_values()

    def raise_unavailable(*_: object, **__: object) -> None:
        raise KeyServiceUnavailable

    with monkeypatch.context() as patch:
        patch.setattr(onboarding, "open_space", raise_unavailable)
        with pytest.raises(KeyServiceUnavailable):
            open_tenant(actor=actor, **values)
    assert open_tenant(actor=actor, **values).status == "active"


def test_an_incomplete_tenant_is_not_completed_with_other_values(
    database: None, actor: Actor, monkeypatch: pytest.MonkeyPatch
) -> None:
    values = build_values()
    monkeypatch.setattr(onboarding, "create_tenant_keys", lambda *_, **__: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        open_tenant(actor=actor, **values)
    with pytest.raises(Conflict, match="education in us"):
        open_tenant(actor=actor, **{**values, "region": "eu"})


def test_an_open_tenant_is_not_opened_again(database: None, actor: Actor) -> None:
    values = build_values()
    open_tenant(actor=actor, **values)
    with pytest.raises(Conflict, match="in use"):
        open_tenant(actor=actor, **values)


def run_command(*arguments: str) -> str:
    out = io.StringIO()
    call_command("create_tenant", *arguments, stdout=out)
    return out.getvalue()


def build_arguments(slug: str, **more_options: str) -> list[str]:
    options = {"name": "Hudson", "vertical": "finance", "region": "eu", "slug": slug, **more_options}
    return [part for name, value in options.items() for part in (f"--{name}", value)]


def test_the_command_prints_a_valid_key(database: None) -> None:
    output = run_command(*build_arguments(f"t-{secrets.token_hex(6)}"))
    key = output.split("shown this once: ")[-1].strip()
    assert authenticate(key, remote_ip="127.0.0.1").vertical == "finance"


def test_the_command_creates_the_owner_once(database: None) -> None:
    email = f"{secrets.token_hex(6)}@example.com"
    first_output = run_command(*build_arguments(f"t-{secrets.token_hex(6)}", owner=email))
    second_output = run_command(*build_arguments(f"t-{secrets.token_hex(6)}", owner=email))
    owner = find_user_by_email(email)
    assert owner is not None
    assert (first_output.count("password"), second_output.count("password")) == (1, 0)
    assert [membership.role for membership in list_memberships(owner)] == [MemberRole.OWNER, MemberRole.OWNER]


def test_the_command_reports_an_error_in_one_sentence(database: None) -> None:
    slug = f"t-{secrets.token_hex(6)}"
    run_command(*build_arguments(slug))
    with pytest.raises(CommandError, match=f"The address name '{slug}' is in use.$"):
        run_command(*build_arguments(slug))
    with pytest.raises(CommandError, match="no such region"):
        run_command(*build_arguments(f"t-{secrets.token_hex(6)}", region="mars"))


def test_the_command_reports_all_wrong_fields_at_once(database: None) -> None:
    wrong = {"vertical": "zoo", "plan": "gold"}
    with pytest.raises(CommandError, match=r"industry is one of .* plan is one of"):
        run_command(*build_arguments(f"t-{secrets.token_hex(6)}", **wrong))
