"""Queries on the system catalogue of every database of the installation."""

from __future__ import annotations

from typing import Any

from django.db import connections

REGIONS = ("cn", "eu", "us")
REGIONAL = [f"{plane}_{code}" for plane in ("data", "keys") for code in REGIONS]
ALIASES = ["default", *REGIONAL]
IN_APPLICATION_SCHEMA = (
    "n.nspname NOT IN ('pg_catalog', 'information_schema', 'pg_toast') AND n.nspname NOT LIKE 'pg_temp%'"
)
HAS_TENANT = """EXISTS (SELECT FROM pg_attribute a
    WHERE a.attrelid = c.oid AND a.attname = 'tenant_id' AND NOT a.attisdropped)"""
WITH_TENANT = f"""SELECT c.oid FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE c.relkind IN ('r', 'p', 'f') AND {IN_APPLICATION_SCHEMA} AND {HAS_TENANT}"""


def fetch_rows(cursor: Any, sql: str) -> list[tuple[Any, ...]]:
    cursor.execute(sql)
    return [tuple(row) for row in cursor.fetchall()]


def query_databases(sql: str, aliases: list[str] = ALIASES) -> list[tuple[Any, ...]]:
    """Runs a query in every database as the application's role. The alias precedes the columns of each row."""
    result: list[tuple[Any, ...]] = []
    for alias in aliases:
        with connections[alias].cursor() as cursor:
            result += [(alias, *row) for row in fetch_rows(cursor, sql)]
    return result
