from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from datetime import datetime, timedelta
from uuid import UUID

from django.conf import settings
from django.db.models import Q
from django.utils import timezone

from tenants import audit
from tenants.control.actions.permission_checks import require_permission
from tenants.control.api_scopes import API_SCOPES
from tenants.control.key_format import fingerprint, mint_api_key
from tenants.control.models import ApiKey
from tenants.control.plans import get_plan
from tenants.control.queries import get_api_key, get_tenant
from tenants.control.queries.authentication import clear_api_key_cache
from tenants.control.read_models import ApiKeyView, NewApiKey
from tenants.errors import Conflict, FieldError, Invalid, NotFound, QuotaExceeded
from tenants.scope import Scope

MAX_OVERLAP = timedelta(days=30)


def create_api_key(
    s: Scope,
    *,
    name: str,
    scopes: Iterable[str],
    expires_at: datetime | None = None,
    cidrs: Iterable[str] = (),
) -> NewApiKey:
    """Returns the secret, which exists nowhere else. Raises Forbidden, Invalid, QuotaExceeded."""
    require_permission(s, "keys.write")
    asked, networks = sorted(set(scopes)), list(cidrs)
    errors = [
        *_check_name(name),
        *_check_scopes(asked),
        *_check_cidrs(networks),
        *_check_expiry(expires_at),
    ]
    if errors:
        raise Invalid(errors)
    _require_key_quota(s)
    made = _insert_key(s, ApiKey(name=name.strip(), scopes=asked, cidrs=networks, expires_at=expires_at))
    audit.record_entry(s, "api_key.created", made.key.id, scopes=" ".join(asked))
    return made


def rotate_api_key(s: Scope, key_id: str, *, overlap: timedelta = timedelta(days=1)) -> NewApiKey:
    """A successor with the same rights; the old key works for `overlap` longer at most.

    Raises Forbidden, NotFound, Conflict for a key that is revoked, expired or has a successor, Invalid.
    """
    require_permission(s, "keys.write")
    if not timedelta(0) <= overlap <= MAX_OVERLAP:
        raise Invalid.from_field(
            "/overlap", "out_of_range", f"The overlap is at most {MAX_OVERLAP.days} days."
        )
    old, now = _lock_key(s, key_id), timezone.now()
    if old.revoked_at or old.replaced_by_id or (old.expires_at and old.expires_at <= now):
        raise Conflict("Only a key in use can be rotated.")
    made = _insert_key(
        s, ApiKey(name=old.name, scopes=old.scopes, cidrs=old.cidrs, expires_at=old.expires_at)
    )
    old.replaced_by_id = made.key.id
    old.expires_at = min(now + overlap, old.expires_at or datetime.max.replace(tzinfo=now.tzinfo))
    old.save(update_fields=["replaced_by", "expires_at"])
    clear_api_key_cache()
    audit.record_entry(
        s, "api_key.rotated", old.id, successor=made.key.id, overlap_seconds=overlap.total_seconds()
    )
    return made


def revoke_api_key(s: Scope, key_id: str) -> ApiKeyView:
    """Effective within 5 s in every process. Revoking twice is no error. Raises Forbidden, NotFound."""
    require_permission(s, "keys.write")
    row = _lock_key(s, key_id)
    if row.revoked_at is None:
        row.revoked_at = timezone.now()
        row.save(update_fields=["revoked_at"])
        audit.record_entry(s, "api_key.revoked", row.id)
    clear_api_key_cache()
    return get_api_key(s, row.id)


def _insert_key(s: Scope, row: ApiKey) -> NewApiKey:
    parts, secret = mint_api_key(get_tenant(s).region)
    row.id, row.tenant_id = parts.id, s.tenant_id
    row.secret_hmac = fingerprint(parts.secret, settings.LEPTON_KEY_PEPPER)
    row.created_by_id = UUID(s.actor.id) if s.actor.kind == "user" else None
    row.save(force_insert=True)
    return NewApiKey(get_api_key(s, row.id), secret)


def _lock_key(s: Scope, key_id: str) -> ApiKey:
    row = ApiKey.objects.filter(tenant_id=s.tenant_id, id=key_id).select_for_update().first()
    if row is None:
        raise NotFound("There is no such API key.")
    return row


def _require_key_quota(s: Scope) -> None:
    limit, live = get_plan(get_tenant(s).plan).api_keys, Q(expires_at=None) | Q(expires_at__gt=timezone.now())
    if ApiKey.objects.filter(live, tenant_id=s.tenant_id, revoked_at=None).count() >= limit:
        raise QuotaExceeded(f"The plan allows {limit} API keys.")


def _check_name(name: str) -> list[FieldError]:
    if 0 < len(name.strip()) <= 120:
        return []
    return [FieldError("/name", "invalid_name", "A key has a name of at most 120 characters.")]


def _check_scopes(scopes: list[str]) -> list[FieldError]:
    if not scopes:
        return [FieldError("/scopes", "required", "A key is allowed at least one thing.")]
    return [
        FieldError("/scopes", "unknown_scope", f"There is no scope {scope!r}.")
        for scope in scopes
        if scope not in API_SCOPES
    ]


def _check_cidrs(cidrs: list[str]) -> list[FieldError]:
    return [
        FieldError(f"/cidrs/{n}", "invalid_network", f"{cidr!r} is not a network like 192.0.2.0/24.")
        for n, cidr in enumerate(cidrs)
        if not _is_network(cidr)
    ]


def _is_network(text: str) -> bool:
    try:
        ipaddress.ip_network(text)
    except ValueError:
        return False
    return True


def _check_expiry(expires_at: datetime | None) -> list[FieldError]:
    if expires_at is None or expires_at > timezone.now():
        return []
    return [FieldError("/expires_at", "in_the_past", "The expiry is in the past.")]
