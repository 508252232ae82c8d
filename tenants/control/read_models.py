"""What queries answer with: plain values that outlive the scope they were read in."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from tenants.control.roles import MemberRole
from tenants.regions import TenantRef
from tenants.scope import Actor


@dataclass(frozen=True, slots=True)
class TenantView:
    id: UUID
    slug: str
    name: str
    vertical: str
    region: str
    plan: str
    language: str
    currency: str
    time_zone: str
    status: str
    created_at: datetime

    @property
    def ref(self) -> TenantRef:
        return TenantRef(self.id, self.region)


@dataclass(frozen=True, slots=True)
class Membership:
    """A tenant as one user sees it."""

    tenant: TenantView
    user_id: UUID
    role: MemberRole


@dataclass(frozen=True, slots=True)
class MemberView:
    user_id: UUID
    email: str
    name: str
    role: MemberRole
    joined_at: datetime
    last_sign_in: datetime | None


@dataclass(frozen=True, slots=True)
class ApiKeyView:
    id: str
    name: str
    masked_key: str
    scopes: frozenset[str]
    cidrs: tuple[str, ...]
    expires_at: datetime | None
    revoked_at: datetime | None
    last_used_at: datetime | None
    replaced_by: str | None
    created_by: str | None
    created_at: datetime
    state: str
    """active, expired, revoked, or replaced: still valid until `expires_at`, its successor is in use."""


@dataclass(frozen=True, slots=True)
class NewApiKey:
    """`secret` is the whole key; it is shown once and stored nowhere."""

    key: ApiKeyView
    secret: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class KeyIdentity:
    """Who calls with a valid key."""

    tenant: TenantRef
    tenant_slug: str
    vertical: str
    plan: str
    key_id: str
    scopes: frozenset[str]
    actor: Actor


@dataclass(frozen=True, slots=True)
class AuditView:
    id: UUID
    at: datetime
    actor_kind: str
    actor_id: str
    verb: str
    subject: str
    facts: dict[str, str | int | float | bool | None]
