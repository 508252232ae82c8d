"""What a pooled connection must be before anybody else gets it."""

from __future__ import annotations

from typing import Any

import psycopg


def assert_unscoped(connection: psycopg.Connection[tuple[Any, ...]]) -> None:
    """Runs as a connection returns to the pool, which discards it when this raises.

    A claim is transaction-local, so none can be left; one set for the session would serve the next request.
    """
    autocommit = connection.autocommit
    connection.autocommit = True
    row = connection.execute("SELECT coalesce(current_setting('app.scope', true), '')").fetchone()
    connection.autocommit = autocommit
    if row is None or row[0] != "":
        raise psycopg.OperationalError("a claim outlived its transaction")
