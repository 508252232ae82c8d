"""Access to the demo: one account that owns every demo tenant, and one API key for each tenant.

The secrets are random for each installation and are stored in `$LEPTON_HOME/run.json` only, which `load_demo`
writes. A secret that is missing there can't be recovered and is replaced.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field
from typing import Any

from django.conf import settings

from lepton_platform.embedded.instance_directory import InstanceDirectory, read_json
from tenants.control import actions, queries
from tenants.control.api_scopes import API_SCOPES
from tenants.control.key_format import parse_api_key
from tenants.control.queries import Account
from tenants.control.read_models import TenantView
from tenants.scope import Actor, control_scope

DEMO_EMAIL = "demo@lepton.example"
API_KEY_NAME = "Demo key"


@dataclass(frozen=True)
class DemoCredentials:
    """Sign-in of the demo account."""

    email: str
    password: str = field(repr=False)


def ensure_credentials(*, actor: Actor) -> DemoCredentials:
    """The demo account with a valid password: that of run.json, or a new one. Creates a missing account."""
    user = queries.find_user_by_email(DEMO_EMAIL)
    stored_password = _read_run_file().get("sign_in", {}).get("password", "")
    if user is not None and stored_password and user.check_password(stored_password):
        return DemoCredentials(DEMO_EMAIL, stored_password)
    new_password = secrets.token_urlsafe(15)
    if user is None:
        actions.create_user(email=DEMO_EMAIL, name="Demo", password=new_password, actor=actor)
    else:
        actions.set_password(user.id, new_password, actor=actor)
    return DemoCredentials(DEMO_EMAIL, new_password)


def ensure_account(*, actor: Actor) -> Account:
    """The demo account; a missing one is created without a password."""
    account = queries.find_user_by_email(DEMO_EMAIL)
    if account is not None:
        return account
    return actions.create_user(email=DEMO_EMAIL, name="Demo", actor=actor)


def ensure_api_key(tenant: TenantView, *, actor: Actor) -> str:
    """The secret of run.json while its key is active; otherwise revokes the lost key and creates a new one."""
    stored_secret = _find_stored_key(tenant.slug)
    parts = parse_api_key(stored_secret)
    with control_scope(tenant.id, actor=actor) as s:
        active_keys = []
        for key in queries.list_api_keys(s):
            if key.name == API_KEY_NAME and key.state == "active":
                active_keys.append(key)
        if parts is not None and parts.id in {key.id for key in active_keys}:
            return stored_secret
        # The secret of an active key is not stored anywhere, so a key that is not in run.json is useless.
        for key in active_keys:
            actions.revoke_api_key(s, key.id)
        return actions.create_api_key(s, name=API_KEY_NAME, scopes=API_SCOPES).secret


def _read_run_file() -> dict[str, Any]:
    return read_json(InstanceDirectory(settings.LEPTON_HOME).run_file)


def _find_stored_key(slug: str) -> str:
    """The tenant's API key in run.json; empty if there is none."""
    for entry in _read_run_file().get("tenants", ()):
        if entry.get("slug") == slug:
            return str(entry.get("api_key", ""))
    return ""
