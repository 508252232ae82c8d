"""Database connections of scopes: detection of lost connections, and their translation into StoreUnavailable."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from weakref import WeakKeyDictionary

import psycopg
from django.db import InterfaceError, OperationalError
from django.db.backends.base.base import BaseDatabaseWrapper

from tenants.errors import StoreUnavailable

_IDLE_SECONDS = 1.0
_MAX_STALE_CONNECTIONS = 100
# When each connection was last known to work, in seconds of time.monotonic().
_used_at: WeakKeyDictionary[psycopg.Connection[Any], float] = WeakKeyDictionary()


def get_live_connection(connection: BaseDatabaseWrapper) -> psycopg.Connection[tuple[Any, ...]]:
    """Returns psycopg's connection; one that was idle for a second is tested first and replaced if it is lost."""
    for _ in range(_MAX_STALE_CONNECTIONS):
        raw = get_raw_connection(connection)
        is_recent = time.monotonic() - _used_at.get(raw, -_IDLE_SECONDS) < _IDLE_SECONDS
        if is_recent or connection.is_usable():
            return raw
        # Closing discards this connection of the pool; the next round takes another one.
        connection.close()
    return get_raw_connection(connection)


@contextmanager
def translate_database_errors() -> Iterator[None]:
    """Raises StoreUnavailable for a lost database, at the first statement as at commit.

    Also for a prepared statement that became invalid, because a migration changed a column's type or the statement was
    deallocated: psycopg prepares it again after the rollback, so a retry succeeds.
    """
    try:
        yield
    except (OperationalError, InterfaceError, psycopg.OperationalError, psycopg.InterfaceError) as error:
        if _is_connection_lost(error):
            raise StoreUnavailable("The database is not reachable; no partial write remains.") from error
        raise
    except (psycopg.errors.FeatureNotSupported, psycopg.errors.InvalidSqlStatementName) as error:
        if error.diag.source_function in ("RevalidateCachedQuery", "FetchPreparedStatement"):
            raise StoreUnavailable(
                "The database schema changed in the meantime; no partial write remains."
            ) from error
        raise


def _is_connection_lost(error: Exception) -> bool:
    """Returns whether the connection was lost or refused; False for deadlocks and other errors of a statement.

    SQLSTATE classes: 08 connection exception, 57P operator intervention, 53 insufficient resources; none if the server
    did not respond.
    """
    cause = error
    if isinstance(error.__cause__, psycopg.Error):
        # Django wraps psycopg's error, which has the SQLSTATE.
        cause = error.__cause__
    state = getattr(cause, "sqlstate", None)
    return state is None or state.startswith(("08", "57P", "53"))


def get_raw_connection(connection: BaseDatabaseWrapper) -> psycopg.Connection[tuple[Any, ...]]:
    """Returns psycopg's connection behind Django's, connecting if necessary."""
    connection.ensure_connection()
    raw: psycopg.Connection[tuple[Any, ...]] = connection.connection
    return raw


def record_connection_use(raw: psycopg.Connection[tuple[Any, ...]]) -> None:
    """Records that the connection works now, so that it is not tested within the next second."""
    _used_at[raw] = time.monotonic()
