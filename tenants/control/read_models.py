"""Read models: the return types of queries. They stay valid after the scope has ended."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from tenants.control.roles import MemberRole
from tenants.regions import TenantRef
from tenants.scope import Actor


@dataclass(frozen=True, slots=True)
class TenantView:
    """A tenant of the directory."""

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
        """Id and region, to open a scope."""
        return TenantRef(self.id, self.region)


@dataclass(frozen=True, slots=True)
class Membership:
    """A tenant and a user's role in it."""

    tenant: TenantView
    user_id: UUID
    role: MemberRole


@dataclass(frozen=True, slots=True)
class MemberView:
    """A member of a tenant. `name` is empty and `last_sign_in` None before the first sign-in as a member."""

    user_id: UUID
    email: str
    name: str
    role: MemberRole
    joined_at: datetime
    last_sign_in: datetime | None


@dataclass(frozen=True, slots=True)
class ApiKeyView:
    """An API key without its secret.

    `state` is "active", "expired", "revoked", or "replaced": valid until `expires_at`, but a successor exists.
    """

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


@dataclass(frozen=True, slots=True)
class NewApiKey:
    """A new key. `secret` is the full key text; it is shown once and not stored."""

    key: ApiKeyView
    secret: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class KeyIdentity:
    """The caller behind a valid API key."""

    tenant: TenantRef
    tenant_slug: str
    vertical: str
    plan: str
    key_id: str
    scopes: frozenset[str]
    actor: Actor


@dataclass(frozen=True, slots=True)
class AuditView:
    """An entry of the audit log."""

    id: UUID
    at: datetime
    actor_kind: str
    actor_id: str
    verb: str
    subject: str
    facts: dict[str, str | int | float | bool | None]
