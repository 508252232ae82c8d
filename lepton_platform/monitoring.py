"""What this process needs to answer requests."""

from __future__ import annotations

import psycopg
from django.db import DatabaseError, connections

from tenants.regions import CONTROL, served


def needed_aliases() -> tuple[str, ...]:
    """The control plane, and data and keys of each served region."""
    return (CONTROL, *(f"{plane}_{region}" for region in served() for plane in ("data", "keys")))


def unready() -> list[str]:
    """Aliases of the databases that do not answer."""
    return [alias for alias in needed_aliases() if not _answers(alias)]


def _answers(alias: str) -> bool:
    connection = connections[alias]
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
    except (DatabaseError, psycopg.Error):
        return False
    finally:
        if not connection.in_atomic_block:
            connection.close()
    return True
