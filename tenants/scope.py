"""The tenant door. A scope is one outermost transaction whose first statement is a signed claim.

Nothing else can make a `Scope`, and without one no tenant table can be read or written: the managers refuse
(`current_scope`), the router has no database to offer, and PostgreSQL's policies raise.
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
from weakref import WeakKeyDictionary

import psycopg
import structlog
from django.db import InterfaceError, OperationalError, connections, transaction
from django.db.backends.base.base import BaseDatabaseWrapper
from psycopg.pq import Format

from tenants import regions
from tenants.errors import ScopeNested, ScopeRequired, StoreUnavailable
from tenants.regions import TenantRef

log = structlog.get_logger(__name__)

LIFETIME = timedelta(minutes=5)
_IDLE_SECONDS = 1.0
_MAX_STALE_CONNECTIONS = 100
# Within a claim plans may be kept; the role's own setting makes a statement without one be planned, and so noticed.
_BIND_CLAIM = """
SELECT coalesce(current_setting('app.scope', true), ''), set_config('app.scope', %s, true),
       set_config('plan_cache_mode', 'auto', true)
"""
_used_at: WeakKeyDictionary[psycopg.Connection[Any], float] = WeakKeyDictionary()


@dataclass(frozen=True, slots=True)
class Actor:
    """Who acts; stands in the audit log."""

    kind: Literal["user", "key", "system", "staff"]
    id: str

    def __str__(self) -> str:
        return f"{self.kind}:{self.id}"


@dataclass(slots=True)
class _ScopeState:
    """Whether a scope's block is over, also for a context that has not noticed."""

    is_closed: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class Scope:
    """An open door to one tenant's rows in one database. Valid only inside its `with` block."""

    alias: str
    claim: str
    actor: Actor
    tenant: TenantRef | None = None
    reason: str = ""
    seal: object = field(repr=False, default=None)
    state: _ScopeState = field(repr=False, default_factory=_ScopeState)

    def __post_init__(self) -> None:
        if self.seal is not _SEAL:
            raise ScopeRequired("A Scope is made by scope() only.")

    @property
    def tenant_id(self) -> UUID:
        return self.ref.id

    @property
    def ref(self) -> TenantRef:
        """Raises ScopeRequired for a claim that names no tenant."""
        if self.tenant is None:
            raise ScopeRequired("This scope names no tenant.")
        return self.tenant

    def cursor(self, *, binary: bool = False) -> psycopg.Cursor[tuple[Any, ...]]:
        """A server-side binding cursor on the scope's own connection; `binary` asks for binary results.

        Frequent statements are executed with `prepare=True`: parsing and planning cost more than their rows. Only those with
        parameters: the plan of one without is kept outside of scopes too, and with it the answer to whether there is a claim.
        """
        cursor = psycopg.Cursor(_get_raw_connection(connections[self.alias]))
        cursor.format = Format.BINARY if binary else Format.TEXT
        return cursor


_SEAL = object()
_open_scopes: ContextVar[tuple[Scope, ...]] = ContextVar("lepton_open_scopes", default=())


def get_current_scope(alias_prefix: str = "") -> Scope:
    """The innermost open scope whose database alias starts with `alias_prefix`. Raises ScopeRequired."""
    for opened in reversed(list_open_scopes()):
        if opened.alias.startswith(alias_prefix):
            return opened
    raise ScopeRequired("Open a scope first: `with scope(tenant, actor=...)`.")


def list_open_scopes() -> tuple[Scope, ...]:
    return tuple(opened for opened in _open_scopes.get() if not opened.state.is_closed)


@contextmanager
def scope(tenant: TenantRef, *, actor: Actor, lifetime: timedelta = LIFETIME) -> Iterator[Scope]:
    """The tenant's space in its region's data database. Raises ScopeNested, RegionNotServed, StoreUnavailable."""
    alias = regions.get_data_alias(tenant.region)
    with _open_transaction(
        Scope(alias, f"tenant:{tenant.id}", actor, tenant, seal=_SEAL), lifetime
    ) as opened:
        yield opened


@contextmanager
def keys_scope(tenant: TenantRef, *, actor: Actor, lifetime: timedelta = LIFETIME) -> Iterator[Scope]:
    """The tenant's rows in its region's keys database."""
    alias = regions.get_keys_alias(tenant.region)
    with _open_transaction(
        Scope(alias, f"tenant:{tenant.id}", actor, tenant, seal=_SEAL), lifetime
    ) as opened:
        yield opened


@contextmanager
def control_scope(tenant_id: UUID, *, actor: Actor) -> Iterator[Scope]:
    """One tenant's rows of the control plane (members, API keys, audit)."""
    ref = TenantRef(tenant_id, "")
    with _open_transaction(
        Scope(regions.CONTROL, f"tenant:{tenant_id}", actor, ref, seal=_SEAL), LIFETIME
    ) as opened:
        yield opened


@contextmanager
def user_scope(user_id: UUID, *, actor: Actor) -> Iterator[Scope]:
    """A signed-in user's own memberships, before a tenant is chosen. Reads only."""
    with _open_transaction(Scope(regions.CONTROL, f"user:{user_id}", actor, seal=_SEAL), LIFETIME) as opened:
        yield opened


@contextmanager
def control_ops(purpose: str, *, actor: Actor, reason: str) -> Iterator[Scope]:
    """The control plane across tenants; `reason` is logged."""
    with _open_ops_scope(regions.CONTROL, purpose, actor, reason) as opened:
        yield opened


@contextmanager
def data_ops(region: str, purpose: str, *, actor: Actor, reason: str) -> Iterator[Scope]:
    """Job leases and the outbox of a region across tenants; every other table stays shut."""
    with _open_ops_scope(regions.get_data_alias(region), purpose, actor, reason) as opened:
        yield opened


@contextmanager
def keys_ops(region: str, purpose: str, *, actor: Actor, reason: str) -> Iterator[Scope]:
    """The wrapped keys of a region across tenants, for rewrapping under a new region key."""
    with _open_ops_scope(regions.get_keys_alias(region), purpose, actor, reason) as opened:
        yield opened


@contextmanager
def _open_ops_scope(alias: str, purpose: str, actor: Actor, reason: str) -> Iterator[Scope]:
    if not reason or not purpose.replace("-", "").isalnum():
        raise ScopeRequired("Crossing tenants needs a purpose and a reason.")
    log.debug("cross_tenant", database=alias, purpose=purpose, actor=str(actor), reason=reason)
    with _open_transaction(
        Scope(alias, f"ops:{purpose}", actor, reason=reason, seal=_SEAL), LIFETIME
    ) as opened:
        yield opened


@contextmanager
def _open_transaction(new_scope: Scope, lifetime: timedelta) -> Iterator[Scope]:
    if any(opened.alias == new_scope.alias for opened in list_open_scopes()):
        raise ScopeNested(f"A scope on {new_scope.alias} is open; finish it first.")
    connection = connections[new_scope.alias]
    _drop_lost_connection(connection)
    if connection.in_atomic_block:
        raise ScopeNested(f"A transaction on {new_scope.alias} is open; a scope is the outermost block.")
    with _translate_database_errors():
        raw = _get_live_connection(connection)
        with transaction.atomic(using=new_scope.alias, durable=True):
            _bind_claim(raw, sign_claim(new_scope.alias, new_scope.claim, lifetime))
            yield from _yield_scope(new_scope, raw)
        _used_at[raw] = time.monotonic()


def _yield_scope(new_scope: Scope, raw: psycopg.Connection[tuple[Any, ...]]) -> Iterator[Scope]:
    reset = _open_scopes.set((*list_open_scopes(), new_scope))
    try:
        yield new_scope
    finally:
        new_scope.state.is_closed = True
        _reset_scopes(reset, raw)


def _reset_scopes(reset_token: Token[tuple[Scope, ...]], raw: psycopg.Connection[tuple[Any, ...]]) -> None:
    """A generator that nobody closed may end in any thread; its transaction must end there and then."""
    try:
        _open_scopes.reset(reset_token)
    except ValueError as error:
        raw.close()
        raise ScopeNested("A scope ended outside its thread; its connection was closed.") from error


def _drop_lost_connection(connection: BaseDatabaseWrapper) -> None:
    """Behind a scope that ended elsewhere this thread's connection still believes in its transaction."""
    if any(opened.state.is_closed and opened.alias == connection.alias for opened in _open_scopes.get()):
        _open_scopes.set(list_open_scopes())
        connection.close()
        connection.connect()


def _bind_claim(raw: psycopg.Connection[tuple[Any, ...]], signed_claim: str) -> None:
    """The claim, for this transaction; a connection that still had one is thrown away."""
    row = psycopg.Cursor(raw).execute(_BIND_CLAIM, (signed_claim,), prepare=True).fetchone()
    if row is None or row[0] != "":
        raw.close()
        raise ScopeNested("A claim outlived its transaction; its connection was closed.")


def _get_live_connection(connection: BaseDatabaseWrapper) -> psycopg.Connection[tuple[Any, ...]]:
    """The raw connection. One that lay idle is asked whether its server still answers, and else replaced."""
    for _ in range(_MAX_STALE_CONNECTIONS):
        raw = _get_raw_connection(connection)
        if time.monotonic() - _used_at.get(raw, -_IDLE_SECONDS) < _IDLE_SECONDS or connection.is_usable():
            return raw
        connection.close()
    return _get_raw_connection(connection)


@contextmanager
def _translate_database_errors() -> Iterator[None]:
    """A lost database is StoreUnavailable, whether at the first statement or at commit.

    So is a prepared statement that no longer holds, because a migration changed a column's type or somebody dropped it:
    after the rollback psycopg prepares anew, and the next call finds it well."""
    try:
        yield
    except (OperationalError, InterfaceError, psycopg.OperationalError, psycopg.InterfaceError) as error:
        if _is_connection_lost(error):
            raise StoreUnavailable("The database does not answer; nothing was half-written.") from error
        raise
    except (psycopg.errors.FeatureNotSupported, psycopg.errors.InvalidSqlStatementName) as error:
        if error.diag.source_function in ("RevalidateCachedQuery", "FetchPreparedStatement"):
            raise StoreUnavailable("The database was changed meanwhile; nothing was half-written.") from error
        raise


def _is_connection_lost(error: Exception) -> bool:
    """True for lost or refused connections (class 08, 57P, no SQLSTATE); false for deadlocks and the like."""
    cause = error.__cause__ if isinstance(error.__cause__, psycopg.Error) else error
    state = getattr(cause, "sqlstate", None)
    return state is None or state.startswith(("08", "57P", "53"))


def _get_raw_connection(connection: BaseDatabaseWrapper) -> psycopg.Connection[tuple[Any, ...]]:
    connection.ensure_connection()
    raw: psycopg.Connection[tuple[Any, ...]] = connection.connection
    return raw


def sign_claim(alias: str, claim: str, lifetime: timedelta) -> str:
    """`claim|expiry|HMAC-SHA256`, the expiry in whole seconds of Unix time."""
    body = f"{claim}|{int(time.time() + lifetime.total_seconds())}"
    return f"{body}|{hmac.digest(regions.derive_scope_key(alias), body.encode(), hashlib.sha256).hex()}"
