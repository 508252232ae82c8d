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


def test_a_stored_key_is_reused(home: Path, view: TenantView, actor: Actor) -> None:
    secret = access.ensure_api_key(view, actor=actor)
    (home / "run.json").write_text(json.dumps({"tenants": [{"slug": view.slug, "api_key": secret}]}))
    assert access.ensure_api_key(view, actor=actor) == secret


def test_a_lost_key_is_revoked_and_replaced(home: Path, view: TenantView, actor: Actor) -> None:
    lost = access.ensure_api_key(view, actor=actor)
    replacement = access.ensure_api_key(view, actor=actor)
    with control_scope(view.id, actor=actor) as s:
        states = sorted(key.state for key in queries.list_api_keys(s))
    assert replacement != lost
    assert states == ["active", "revoked"]


def test_a_stored_password_works_and_is_reused(home: Path, actor: Actor) -> None:
    credentials = access.ensure_credentials(actor=actor)
    (home / "run.json").write_text(json.dumps({"sign_in": {"password": credentials.password}}))
    user = queries.find_user_by_email(credentials.email)
    assert user is not None
    assert user.check_password(credentials.password)
    assert access.ensure_credentials(actor=actor) == credentials


def test_a_lost_password_is_replaced(home: Path, actor: Actor) -> None:
    lost, replacement = access.ensure_credentials(actor=actor), access.ensure_credentials(actor=actor)
    user = queries.find_user_by_email(replacement.email)
    assert user is not None
    assert not user.check_password(lost.password)
    assert user.check_password(replacement.password)


def test_secrets_are_not_shown_by_accident(home: Path, actor: Actor) -> None:
    account = access.ensure_credentials(actor=actor)
    assert account.password not in repr(account)
