"""What PostgreSQL's own catalogue says of every database of the installation."""

from __future__ import annotations

from typing import Any

from django.db import connections

REGIONS = ("cn", "eu", "us")
REGIONAL = [f"{plane}_{code}" for plane in ("data", "keys") for code in REGIONS]
ALIASES = ["default", *REGIONAL]
OURS = "n.nspname NOT IN ('pg_catalog', 'information_schema', 'pg_toast') AND n.nspname NOT LIKE 'pg_temp%'"
HAS_TENANT = """EXISTS (SELECT FROM pg_attribute a
    WHERE a.attrelid = c.oid AND a.attname = 'tenant_id' AND NOT a.attisdropped)"""
WITH_TENANT = f"""SELECT c.oid FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE c.relkind IN ('r', 'p', 'f') AND {OURS} AND {HAS_TENANT}"""


def rows(cursor: Any, sql: str) -> list[tuple[Any, ...]]:
    cursor.execute(sql)
    return [tuple(row) for row in cursor.fetchall()]


def everywhere(sql: str, aliases: list[str] = ALIASES) -> list[tuple[Any, ...]]:
    """Rows of every database, each with its alias in front, read as the application's role."""
    entries: list[tuple[Any, ...]] = []
    for alias in aliases:
        with connections[alias].cursor() as cursor:
            entries += [(alias, *row) for row in rows(cursor, sql)]
    return entries
