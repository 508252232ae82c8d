from __future__ import annotations

import json
from pathlib import Path

import pytest
from django.conf import LazySettings

from lepton_platform.demo import access
from tenants.control import queries
from tenants.control.read_models import TenantView
from tenants.regions import TenantRef
from tenants.scope import Actor, control_scope


@pytest.fixture
def home(tmp_path: Path, settings: LazySettings, database: None) -> Path:
    settings.LEPTON_HOME = tmp_path
    return tmp_path


@pytest.fixture
def view(tenant: TenantRef, actor: Actor) -> TenantView:
    with control_scope(tenant.id, actor=actor) as s:
        return queries.get_tenant(s)


def test_a_kept_key_is_used_again(home: Path, view: TenantView, actor: Actor) -> None:
    first = access.ensure_api_key(view, actor=actor)
    (home / "run.json").write_text(json.dumps({"tenants": [{"slug": view.slug, "api_key": first}]}))
    assert access.ensure_api_key(view, actor=actor) == first


def test_a_lost_key_is_revoked_and_replaced(home: Path, view: TenantView, actor: Actor) -> None:
    lost = access.ensure_api_key(view, actor=actor)
    found = access.ensure_api_key(view, actor=actor)
    with control_scope(view.id, actor=actor) as s:
        states = sorted(key.state for key in queries.list_api_keys(s))
    assert found != lost
    assert states == ["active", "revoked"]


def test_the_password_works_and_stays_while_it_is_kept(home: Path, actor: Actor) -> None:
    first = access.ensure_credentials(actor=actor)
    (home / "run.json").write_text(json.dumps({"sign_in": {"password": first.password}}))
    user = queries.find_user_by_email(first.email)
    assert user is not None
    assert user.check_password(first.password)
    assert access.ensure_credentials(actor=actor) == first


def test_a_lost_password_is_replaced(home: Path, actor: Actor) -> None:
    first, second = access.ensure_credentials(actor=actor), access.ensure_credentials(actor=actor)
    user = queries.find_user_by_email(second.email)
    assert user is not None
    assert not user.check_password(first.password)
    assert user.check_password(second.password)


def test_secrets_are_not_shown_by_accident(home: Path, actor: Actor) -> None:
    account = access.ensure_credentials(actor=actor)
    assert account.password not in repr(account)
