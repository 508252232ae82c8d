"""Conversion of ORM rows to read models."""

from __future__ import annotations

from datetime import datetime

from tenants.control.models import ApiKey, Member, Tenant
from tenants.control.read_models import ApiKeyView, MemberView, TenantView
from tenants.control.roles import MemberRole


def to_tenant_view(row: Tenant) -> TenantView:
    """Returns the read model of a tenant."""
    return TenantView(
        id=row.id,
        slug=row.slug,
        name=row.name,
        vertical=row.vertical,
        region=row.region_id,
        plan=row.plan,
        language=row.language,
        currency=row.currency,
        time_zone=row.time_zone,
        status=row.status,
        created_at=row.created_at,
    )


def to_member_view(row: Member) -> MemberView:
    """Returns the read model of a member; reads `row.user`."""
    # Owners can add any e-mail address. Name and last sign-in stay hidden until the user has signed in as a member, so
    # that adding an address does not reveal whether it has an account.
    last_login = row.user.last_login
    has_signed_in = last_login is not None and last_login >= row.created_at
    return MemberView(
        user_id=row.user_id,
        email=row.user.email,
        name=row.user.name if has_signed_in else "",
        role=MemberRole(row.role),
        joined_at=row.created_at,
        last_sign_in=last_login if has_signed_in else None,
    )


def to_api_key_view(row: ApiKey, *, region: str, now: datetime) -> ApiKeyView:
    """Returns the read model of an API key with its state at `now`."""
    return ApiKeyView(
        id=row.id,
        name=row.name,
        masked_key=f"lep_live_{region}_{row.id}_…",
        scopes=frozenset(row.scopes),
        cidrs=tuple(row.cidrs),
        expires_at=row.expires_at,
        revoked_at=row.revoked_at,
        last_used_at=row.last_used_at,
        replaced_by=row.replaced_by_id,
        created_by=str(row.created_by) if row.created_by else None,
        created_at=row.created_at,
        state=_derive_key_state(row, now),
    )


def _derive_key_state(row: ApiKey, now: datetime) -> str:
    if row.revoked_at is not None:
        return "revoked"
    if row.expires_at is not None and row.expires_at <= now:
        return "expired"
    if row.replaced_by_id is not None:
        return "replaced"
    return "active"
