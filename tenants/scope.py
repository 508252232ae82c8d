"""Scopes: access to tenant data. A scope is an outermost transaction whose first statement binds a signed claim.

Only the context managers of this module create a `Scope`. Without an open scope no tenant table can be read or written:
model managers raise (`get_current_scope`), the router has no database to return, and PostgreSQL's policies raise.

A signed claim has these fields, separated by "|": subject (`tenant:<uuid>`, `user:<uuid>` or `ops:<purpose>`), expiry in
Unix seconds, HMAC-SHA256 of both in hexadecimal.
"""

from __future__ import annotations

import hashlib
import hmac
import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar, Token
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Literal
from uuid import UUID

import psycopg
import structlog
from django.db import connections, transaction
from django.db.backends.base.base import BaseDatabaseWrapper
from psycopg.pq import Format

from tenants import regions
from tenants.connections import (
    get_live_connection,
    get_raw_connection,
    record_connection_use,
    translate_database_errors,
)
from tenants.errors import ScopeNested, ScopeRequired
from tenants.regions import TenantRef

log = structlog.get_logger(__name__)

LIFETIME = timedelta(minutes=5)
# plan_cache_mode: inside a scope plans may be cached. The role's default forces a new plan for each statement, so that
# a statement outside a scope is planned and the policies' planner check raises (see TenantPolicy).
_BIND_CLAIM = """
SELECT coalesce(current_setting('app.scope', true), ''), set_config('app.scope', %s, true),
       set_config('plan_cache_mode', 'auto', true)
"""


@dataclass(frozen=True, slots=True)
class Actor:
    """The user, API key or process that acts; recorded in the audit log."""

    kind: Literal["user", "key", "system", "staff"]
    id: str

    def __str__(self) -> str:
        return f"{self.kind}:{self.id}"


@dataclass(slots=True)
class _ScopeState:
    """Whether the block of a scope has ended. Shared by all contexts that hold a copy of the scope's variable."""

    is_closed: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class Scope:
    """Access to one tenant's rows in one database. Valid only inside its `with` block."""

    alias: str
    claim: str
    actor: Actor
    tenant: TenantRef | None = None
    reason: str = ""
    seal: object = field(repr=False, default=None)
    state: _ScopeState = field(repr=False, default_factory=_ScopeState)

    def __post_init__(self) -> None:
        if self.seal is not _SEAL:
            raise ScopeRequired("Only scope() creates a Scope.")

    @property
    def tenant_id(self) -> UUID:
        """The tenant's id. Raises ScopeRequired for a claim that names no tenant."""
        return self.ref.id

    @property
    def ref(self) -> TenantRef:
        """The tenant. Raises ScopeRequired for a claim that names no tenant."""
        if self.tenant is None:
            raise ScopeRequired("This scope names no tenant.")
        return self.tenant

    def cursor(self, *, binary: bool = False) -> psycopg.Cursor[tuple[Any, ...]]:
        """Creates a cursor with server-side binding on the scope's connection; `binary` requests binary results.

        Frequent statements are executed with `prepare=True`, because parsing and planning cost more than fetching their
        rows. Statements without parameters are never prepared: PostgreSQL would keep their plan outside of scopes too, and
        a cached plan skips the planner check for a claim.
        """
        cursor = psycopg.Cursor(get_raw_connection(connections[self.alias]))
        if binary:
            cursor.format = Format.BINARY
        return cursor


# Constructing a Scope needs this object, which only this module holds.
_SEAL = object()
_open_scopes: ContextVar[tuple[Scope, ...]] = ContextVar("lepton_open_scopes", default=())


def get_current_scope(alias_prefix: str = "") -> Scope:
    """Returns the innermost open scope whose database alias starts with `alias_prefix`. Raises ScopeRequired."""
    for opened in reversed(list_open_scopes()):
        if opened.alias.startswith(alias_prefix):
            return opened
    raise ScopeRequired("Open a scope first: `with scope(tenant, actor=...)`.")


def list_open_scopes() -> tuple[Scope, ...]:
    """Returns the open scopes of this context, outermost first."""
    return tuple(opened for opened in _open_scopes.get() if not opened.state.is_closed)


@contextmanager
def scope(tenant: TenantRef, *, actor: Actor, lifetime: timedelta = LIFETIME) -> Iterator[Scope]:
    """Opens the tenant's rows in the data database of its region.

    Args:
        tenant: The tenant and its region.
        actor: Recorded in the audit log.
        lifetime: The claim expires after this time; later statements raise.

    Raises:
        ScopeNested: A scope or a transaction on this database is open.
        RegionNotServed: This process does not serve the region.
        StoreUnavailable: The database is not reachable, at the first statement or at commit.
    """
    alias = regions.get_data_alias(tenant.region)
    new_scope = Scope(
        alias,
        f"tenant:{tenant.id}",
        actor,
        tenant,
        seal=_SEAL,
    )
    with _open_transaction(new_scope, lifetime) as opened:
        yield opened


@contextmanager
def keys_scope(tenant: TenantRef, *, actor: Actor, lifetime: timedelta = LIFETIME) -> Iterator[Scope]:
    """Opens the tenant's rows in the keys database of its region. Raises as `scope`."""
    alias = regions.get_keys_alias(tenant.region)
    new_scope = Scope(
        alias,
        f"tenant:{tenant.id}",
        actor,
        tenant,
        seal=_SEAL,
    )
    with _open_transaction(new_scope, lifetime) as opened:
        yield opened


@contextmanager
def control_scope(tenant_id: UUID, *, actor: Actor) -> Iterator[Scope]:
    """Opens one tenant's rows of the control plane (members, API keys, audit). Raises ScopeNested, StoreUnavailable."""
    ref = TenantRef(tenant_id, "")
    new_scope = Scope(regions.CONTROL, f"tenant:{tenant_id}", actor, ref, seal=_SEAL)
    with _open_transaction(new_scope, LIFETIME) as opened:
        yield opened


@contextmanager
def user_scope(user_id: UUID, *, actor: Actor) -> Iterator[Scope]:
    """Opens a signed-in user's own memberships for reading, before a tenant is chosen."""
    new_scope = Scope(regions.CONTROL, f"user:{user_id}", actor, seal=_SEAL)
    with _open_transaction(new_scope, LIFETIME) as opened:
        yield opened


@contextmanager
def control_ops(purpose: str, *, actor: Actor, reason: str) -> Iterator[Scope]:
    """Opens the control plane across tenants. `reason` is logged. Raises ScopeRequired without purpose or reason."""
    with _open_ops_scope(regions.CONTROL, purpose, actor, reason) as opened:
        yield opened


@contextmanager
def data_ops(region: str, purpose: str, *, actor: Actor, reason: str) -> Iterator[Scope]:
    """Opens job leases and the outbox of a region across tenants; policies of all other tables still deny access."""
    with _open_ops_scope(regions.get_data_alias(region), purpose, actor, reason) as opened:
        yield opened


@contextmanager
def keys_ops(region: str, purpose: str, *, actor: Actor, reason: str) -> Iterator[Scope]:
    """Opens the wrapped keys of a region across tenants, for rewrapping under a new root key."""
    with _open_ops_scope(regions.get_keys_alias(region), purpose, actor, reason) as opened:
        yield opened


@contextmanager
def _open_ops_scope(
    alias: str,
    purpose: str,
    actor: Actor,
    reason: str,
) -> Iterator[Scope]:
    if not reason or not purpose.replace("-", "").isalnum():
        raise ScopeRequired("Crossing tenants needs a purpose and a reason.")
    log.debug("cross_tenant", database=alias, purpose=purpose, actor=str(actor), reason=reason)
    new_scope = Scope(
        alias,
        f"ops:{purpose}",
        actor,
        reason=reason,
        seal=_SEAL,
    )
    with _open_transaction(new_scope, LIFETIME) as opened:
        yield opened


@contextmanager
def _open_transaction(new_scope: Scope, lifetime: timedelta) -> Iterator[Scope]:
    if any(opened.alias == new_scope.alias for opened in list_open_scopes()):
        raise ScopeNested(f"A scope on {new_scope.alias} is open; finish it first.")
    connection = connections[new_scope.alias]
    _drop_lost_connection(connection)
    if connection.in_atomic_block:
        raise ScopeNested(f"A transaction on {new_scope.alias} is open; a scope is the outermost block.")
    with translate_database_errors():
        raw = get_live_connection(connection)
        with transaction.atomic(using=new_scope.alias, durable=True):
            _bind_claim(raw, sign_claim(new_scope.alias, new_scope.claim, lifetime))
            yield from _yield_scope(new_scope, raw)
        record_connection_use(raw)


def _yield_scope(new_scope: Scope, raw: psycopg.Connection[tuple[Any, ...]]) -> Iterator[Scope]:
    reset_token = _open_scopes.set((*list_open_scopes(), new_scope))
    try:
        yield new_scope
    finally:
        new_scope.state.is_closed = True
        _reset_scopes(reset_token, raw)


def _reset_scopes(reset_token: Token[tuple[Scope, ...]], raw: psycopg.Connection[tuple[Any, ...]]) -> None:
    """Restores the context variable. Closes the connection if the scope ends in another context than it began.

    A generator that was not exhausted is closed by the garbage collector, in any thread; its transaction must not stay open.
    """
    try:
        _open_scopes.reset(reset_token)
    except ValueError as error:
        raw.close()
        raise ScopeNested("A scope ended outside its thread; its connection was closed.") from error


def _drop_lost_connection(connection: BaseDatabaseWrapper) -> None:
    """Reconnects after a scope of this thread ended in another one: Django still counts its transaction as open."""
    if any(opened.state.is_closed and opened.alias == connection.alias for opened in _open_scopes.get()):
        _open_scopes.set(list_open_scopes())
        connection.close()
        connection.connect()


def _bind_claim(raw: psycopg.Connection[tuple[Any, ...]], signed_claim: str) -> None:
    """Binds the claim for this transaction. Closes the connection if an earlier claim is still bound."""
    row = psycopg.Cursor(raw).execute(_BIND_CLAIM, (signed_claim,), prepare=True).fetchone()
    if row is None or row[0] != "":
        raw.close()
        raise ScopeNested("A claim outlived its transaction; its connection was closed.")


def sign_claim(alias: str, claim: str, lifetime: timedelta) -> str:
    """Returns the signed claim for one database (fields: see the module docstring)."""
    expiry = int(time.time() + lifetime.total_seconds())
    body = f"{claim}|{expiry}"
    signature = hmac.digest(regions.derive_scope_key(alias), body.encode(), hashlib.sha256)
    return f"{body}|{signature.hex()}"
