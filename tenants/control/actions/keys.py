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
    """Creates an API key and returns it with its secret, which is not stored.

    Args:
        s: The tenant's control scope.
        name: 1 to 120 characters.
        scopes: Names from `API_SCOPES`; at least one.
        expires_at: End of validity; None for no end.
        cidrs: Networks from which the key is accepted; empty for all.

    Raises:
        Forbidden: The actor may not write keys.
        Invalid: One error per wrong field.
        QuotaExceeded: The plan allows no further key.
    """
    require_permission(s, "keys.write")
    requested_scopes = sorted(set(scopes))
    networks = list(cidrs)
    errors = [
        *_check_name(name),
        *_check_scopes(requested_scopes),
        *_check_cidrs(networks),
        *_check_expiry(expires_at),
    ]
    if errors:
        raise Invalid(errors)
    _require_key_quota(s)
    row = ApiKey(
        name=name.strip(),
        scopes=requested_scopes,
        cidrs=networks,
        expires_at=expires_at,
    )
    new_key = _insert_key(s, row)
    audit.record_entry(s, "api_key.created", new_key.key.id, scopes=" ".join(requested_scopes))
    return new_key


def rotate_api_key(s: Scope, key_id: str, *, overlap: timedelta = timedelta(days=1)) -> NewApiKey:
    """Creates a successor with the same scopes and networks. The old key stays valid for at most `overlap`.

    Raises Forbidden, NotFound, Invalid, and Conflict for a key that is revoked, expired or already replaced.
    """
    require_permission(s, "keys.write")
    if not timedelta(0) <= overlap <= MAX_OVERLAP:
        raise Invalid.from_field(
            "/overlap", "out_of_range", f"The overlap is at most {MAX_OVERLAP.days} days."
        )
    old_key, now = _lock_key(s, key_id), timezone.now()
    is_expired = old_key.expires_at is not None and old_key.expires_at <= now
    if old_key.revoked_at or old_key.replaced_by_id or is_expired:
        raise Conflict("Only a key in use can be rotated.")
    successor = ApiKey(
        name=old_key.name,
        scopes=old_key.scopes,
        cidrs=old_key.cidrs,
        expires_at=old_key.expires_at,
    )
    new_key = _insert_key(s, successor)
    old_key.replaced_by_id = new_key.key.id
    # The overlap never extends the validity that the old key had.
    if old_key.expires_at is None or old_key.expires_at > now + overlap:
        old_key.expires_at = now + overlap
    old_key.save(update_fields=["replaced_by", "expires_at"])
    clear_api_key_cache()
    audit.record_entry(
        s,
        "api_key.rotated",
        old_key.id,
        successor=new_key.key.id,
        overlap_seconds=overlap.total_seconds(),
    )
    return new_key


def revoke_api_key(s: Scope, key_id: str) -> ApiKeyView:
    """Revokes a key, effective within 5 s in every process. Idempotent. Raises Forbidden, NotFound."""
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
    limit = get_plan(get_tenant(s).plan).api_keys
    not_expired = Q(expires_at=None) | Q(expires_at__gt=timezone.now())
    count = ApiKey.objects.filter(not_expired, tenant_id=s.tenant_id, revoked_at=None).count()
    if count >= limit:
        raise QuotaExceeded(f"The plan allows {limit} API keys.")


def _check_name(name: str) -> list[FieldError]:
    if 0 < len(name.strip()) <= 120:
        return []
    return [FieldError("/name", "invalid_name", "A key has a name of at most 120 characters.")]


def _check_scopes(scopes: list[str]) -> list[FieldError]:
    if not scopes:
        return [FieldError("/scopes", "required", "A key is allowed at least one thing.")]
    errors = []
    for scope in scopes:
        if scope not in API_SCOPES:
            errors.append(FieldError("/scopes", "unknown_scope", f"There is no scope {scope!r}."))
    return errors


def _check_cidrs(cidrs: list[str]) -> list[FieldError]:
    errors = []
    for index, cidr in enumerate(cidrs):
        if not _is_network(cidr):
            detail = f"{cidr!r} is not a network like 192.0.2.0/24."
            errors.append(FieldError(f"/cidrs/{index}", "invalid_network", detail))
    return errors


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
