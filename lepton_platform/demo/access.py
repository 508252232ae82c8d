"""Who may enter the demo: one account that owns every demo tenant, and one API key for each.

Secrets are random for each installation and stand in `$LEPTON_HOME/run.json` alone, which the supervisor
writes. What is not written there is lost, and replaced.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field
from typing import Any

from django.conf import settings

from lepton_platform.embedded.home import Home, read_json
from tenants.control import actions, queries
from tenants.control.api_scopes import API_SCOPES
from tenants.control.key_format import parse
from tenants.control.queries import Account
from tenants.control.results import TenantView
from tenants.scope import Actor, control_scope

EMAIL = "demo@lepton.example"
KEY_NAME = "Demo key"


@dataclass(frozen=True)
class SignIn:
    email: str
    password: str = field(repr=False)


def sign_in(*, actor: Actor) -> SignIn:
    """The demo account with a password that works; the account is made when it is missing."""
    user = queries.user_by_email(EMAIL)
    kept = _kept().get("sign_in", {}).get("password", "")
    if user is not None and kept and user.check_password(kept):
        return SignIn(EMAIL, kept)
    fresh = secrets.token_urlsafe(15)
    if user is None:
        actions.create_user(email=EMAIL, name="Demo", password=fresh, actor=actor)
    else:
        actions.set_password(user.id, fresh, actor=actor)
    return SignIn(EMAIL, fresh)


def owner(*, actor: Actor) -> Account:
    """The demo account; made without a password when it is missing."""
    return queries.user_by_email(EMAIL) or actions.create_user(email=EMAIL, name="Demo", actor=actor)


def api_key(tenant: TenantView, *, actor: Actor) -> str:
    """The key that run.json holds while it is valid; otherwise a new one, and the lost one is revoked."""
    kept = _kept_key(tenant.slug)
    parts = parse(kept)
    with control_scope(tenant.id, actor=actor) as s:
        active = [key for key in queries.api_keys(s) if key.name == KEY_NAME and key.state == "active"]
        if parts is not None and parts.id in {key.id for key in active}:
            return kept
        for lost in active:
            actions.revoke_api_key(s, lost.id)
        return actions.create_api_key(s, name=KEY_NAME, scopes=API_SCOPES).secret


def _kept() -> dict[str, Any]:
    return read_json(Home(settings.LEPTON_HOME).run_file)


def _kept_key(slug: str) -> str:
    found = [entry.get("api_key", "") for entry in _kept().get("tenants", ()) if entry.get("slug") == slug]
    return found[0] if found else ""
