"""Readiness of this process: the databases that it needs to answer requests."""

from __future__ import annotations

import psycopg
from django.db import DatabaseError, connections

from tenants.regions import CONTROL, list_served


def list_required_aliases() -> tuple[str, ...]:
    """Aliases of the control plane's database and of the data and keys databases of every served region."""
    aliases = [CONTROL]
    for region in list_served():
        aliases += [f"data_{region}", f"keys_{region}"]
    return tuple(aliases)


def find_unavailable_databases() -> list[str]:
    """Aliases of the required databases that do not execute `SELECT 1`."""
    return [alias for alias in list_required_aliases() if not _is_available(alias)]


def _is_available(alias: str) -> bool:
    connection = connections[alias]
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
    except (DatabaseError, psycopg.Error):
        return False
    finally:
        # Gives the connection back to the pool, except inside a transaction (tests), which closing would end.
        if not connection.in_atomic_block:
            connection.close()
    return True
