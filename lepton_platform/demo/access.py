"""Who may enter the demo: one account that owns every demo tenant, and one API key for each.

Secrets are random for each installation and stand in `$LEPTON_HOME/run.json` alone, which the supervisor
writes. What is not written there is lost, and replaced.
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
    email: str
    password: str = field(repr=False)


def ensure_credentials(*, actor: Actor) -> DemoCredentials:
    """The demo account with a password that works; the account is made when it is missing."""
    user = queries.find_user_by_email(DEMO_EMAIL)
    kept = _read_run_file().get("sign_in", {}).get("password", "")
    if user is not None and kept and user.check_password(kept):
        return DemoCredentials(DEMO_EMAIL, kept)
    fresh = secrets.token_urlsafe(15)
    if user is None:
        actions.create_user(email=DEMO_EMAIL, name="Demo", password=fresh, actor=actor)
    else:
        actions.set_password(user.id, fresh, actor=actor)
    return DemoCredentials(DEMO_EMAIL, fresh)


def ensure_account(*, actor: Actor) -> Account:
    """The demo account; made without a password when it is missing."""
    return queries.find_user_by_email(DEMO_EMAIL) or actions.create_user(
        email=DEMO_EMAIL, name="Demo", actor=actor
    )


def ensure_api_key(tenant: TenantView, *, actor: Actor) -> str:
    """The key that run.json holds while it is valid; otherwise a new one, and the lost one is revoked."""
    kept = _find_stored_key(tenant.slug)
    parts = parse_api_key(kept)
    with control_scope(tenant.id, actor=actor) as s:
        active = [
            key for key in queries.list_api_keys(s) if key.name == API_KEY_NAME and key.state == "active"
        ]
        if parts is not None and parts.id in {key.id for key in active}:
            return kept
        for lost in active:
            actions.revoke_api_key(s, lost.id)
        return actions.create_api_key(s, name=API_KEY_NAME, scopes=API_SCOPES).secret


def _read_run_file() -> dict[str, Any]:
    return read_json(InstanceDirectory(settings.LEPTON_HOME).run_file)


def _find_stored_key(slug: str) -> str:
    found = [
        entry.get("api_key", "") for entry in _read_run_file().get("tenants", ()) if entry.get("slug") == slug
    ]
    return found[0] if found else ""
