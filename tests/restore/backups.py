"""Backups as an operator makes them: pg_dump and pg_restore of the running server."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterable
from pathlib import Path

from django.conf import settings
from django.db import connections

from lepton_platform.embedded.postgres import SUPERUSER, PostgresServer


class DatabaseBackups:
    """Dumps and restores of whole databases, by their Django alias."""

    def __init__(self, server: PostgresServer, folder: Path) -> None:
        self._server, self._folder = server, folder

    def dump_database(self, alias: str, *, dump_format: str = "custom") -> Path:
        target = self._folder / f"{alias}-{len(list(self._folder.iterdir()))}.dump"
        self._run(
            "pg_dump", "--format", dump_format, "--file", str(target), str(settings.DATABASES[alias]["NAME"])
        )
        return target

    def restore_database(self, alias: str, backup: Path) -> None:
        """Restores the database of the backup; later changes are gone."""
        for connection in connections.all():
            connection.close()
            connection.close_pool()
        name = str(settings.DATABASES[alias]["NAME"])
        with self._server.connect("postgres") as connection:
            connection.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", (name,)
            )
        options = ["--clean", "--create", "--exit-on-error", "--dbname", "postgres"]
        self._run("pg_restore", *options, str(backup))

    def truncate_tables(self, alias: str, tables: Iterable[str]) -> None:
        """Deletes every row of these tables, of all tenants, as after the loss of a database."""
        with self._server.connect(str(settings.DATABASES[alias]["NAME"])) as connection:
            connection.execute("SET session_replication_role = replica")
            connection.execute(f"TRUNCATE {', '.join(tables)}")

    def _run(self, program: str, *options: str) -> None:
        connection_options = [
            "--host",
            "127.0.0.1",
            "--port",
            str(self._server.port),
            "--username",
            SUPERUSER,
        ]
        process = subprocess.run(
            [str(self._server.binaries / program), *connection_options, *options],
            env={**os.environ, "PGPASSWORD": self._server.password},
            capture_output=True,
            check=False,
            text=True,
        )
        assert process.returncode == 0, process.stderr
