"""Roles and databases of the embedded PostgreSQL, made by the SQL scripts that a production cluster uses too."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import psycopg
from psycopg import sql

from lepton_platform.embedded.postgres import PostgresServer

_SCRIPT_DIRECTORY = Path(__file__).resolve().parents[2] / "deploy" / "postgres"
OWNER, MIGRATOR, APPLICATION = "lepton_owner", "lepton_migrate", "lepton_app"


def build_database_names(regions: Iterable[str]) -> dict[str, str]:
    """Database name of each plane, keyed as in `DATABASE_URL_<PLANE>`."""
    planes = {"CONTROL": "lepton_control"}
    for region in regions:
        planes[f"DATA_{region.upper()}"] = f"lepton_data_{region}"
        planes[f"KEYS_{region.upper()}"] = f"lepton_keys_{region}"
    return planes


def prepare_databases(server: PostgresServer, databases: Iterable[str], passwords: Mapping[str, str]) -> None:
    """Creates missing roles and databases, and sets grants and passwords. Idempotent.

    Args:
        server: the running server.
        databases: names of the databases.
        passwords: password of each login role.
    """
    with server.connect("postgres") as connection:
        connection.execute(_read_script("roles.sql"))
        for role, password in passwords.items():
            _set_password(connection, role, password)
        existing = {name for (name,) in connection.execute("SELECT datname FROM pg_database")}
        for name in databases:
            if name in existing:
                continue
            # PostgreSQL has no CREATE DATABASE IF NOT EXISTS.
            connection.execute(
                sql.SQL("CREATE DATABASE {} OWNER {}").format(sql.Identifier(name), sql.Identifier(OWNER))
            )
    for name in databases:
        # Grants inside a database need a connection to it.
        with server.connect(name) as connection:
            connection.execute(_read_script("database.sql"))


def _read_script(name: str) -> bytes:
    return (_SCRIPT_DIRECTORY / name).read_bytes()


def _set_password(connection: psycopg.Connection[tuple[Any, ...]], role: str, password: str) -> None:
    """Sends the SCRAM verifier instead of the password, which then never reaches the server's memory or log."""
    verifier = connection.pgconn.encrypt_password(password.encode(), role.encode(), b"scram-sha-256")
    connection.execute(
        sql.SQL("ALTER ROLE {} PASSWORD {}").format(sql.Identifier(role), sql.Literal(verifier.decode()))
    )
