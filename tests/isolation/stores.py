"""All bytes on the disks and in the memory of an installation's services."""

from __future__ import annotations

import os
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import redis

from lepton_platform.embedded.postgres import SUPERUSER

DATABASES = [
    "lepton_control",
    *(f"lepton_{plane}_{code}" for plane in ("data", "keys") for code in ("cn", "eu", "us")),
]
SecretValues = dict[str, Any]


class Stores:
    """The running services of the installation in `home`. `secrets` are those of its supervisor."""

    def __init__(self, home: Path, *, binaries: Path, secrets: SecretValues) -> None:
        self.home, self._binaries, self._secrets = home, binaries, secrets

    def execute_sql(self, statement: str, database: str = "lepton_control") -> Any:
        with psycopg.connect(
            host="127.0.0.1",
            port=self._secrets["postgres_port"],
            user=SUPERUSER,
            password=self._secrets["superuser_password"],
            dbname=database,
            autocommit=True,
        ) as connection:
            cursor = connection.execute(statement)
            return cursor.fetchall() if cursor.description else None

    def get_wal_position(self) -> str:
        """The current insert position of the write-ahead log."""
        return str(self.execute_sql("SELECT pg_current_wal_insert_lsn()")[0][0])

    def iter_dumps(self) -> Iterator[bytes]:
        """Dumps every database with `pg_dump`, which writes binary values in hexadecimal."""
        for name in DATABASES:
            yield self._run_program("pg_dump", *self._build_server_options(), "--format", "plain", name)

    def iter_files(self) -> Iterator[bytes]:
        """Every file below the installation: tables, write-ahead log, Valkey, models, logs, e-mails."""
        self.execute_sql("CHECKPOINT")
        for path in sorted(self.home.rglob("*")):
            if path.is_file() and not path.relative_to(self.home).parts[0].startswith("binaries"):
                yield path.read_bytes()

    def iter_folder(self, name: str) -> Iterator[bytes]:
        for path in sorted((self.home / name).rglob("*")):
            if path.is_file():
                yield path.read_bytes()

    def iter_wal_pages(self, since: str) -> Iterator[bytes]:
        """Pages of tables that the write-ahead log stores in compressed form."""
        with tempfile.TemporaryDirectory() as folder:
            log = self.home / "postgres" / "data" / "pg_wal"
            arguments = ["--path", str(log), "--start", since, "--end", self.get_wal_position()]
            self._run_program("pg_waldump", *arguments, "--quiet", "--save-fullpage", f"{folder}/pages")
            for path in sorted(Path(folder).rglob("*_main")):
                yield path.read_bytes()

    def iter_valkey_entries(self) -> Iterator[bytes]:
        """Every key in memory with its value, read by type and in serialized form."""
        for database in range(16):
            with redis.Redis(
                port=self._secrets["valkey_port"], password=self._secrets["valkey_password"], db=database
            ) as server:
                for key in server.scan_iter(count=1_000):
                    yield bytes(key) + b" " + (server.dump(key) or b"") + b" " + _read_value(server, key)

    def _build_server_options(self) -> list[str]:
        return ["--host", "127.0.0.1", "--port", str(self._secrets["postgres_port"]), "--username", SUPERUSER]

    def _run_program(self, program: str, *options: str) -> bytes:
        completed = subprocess.run(
            [str(self._binaries / program), *options],
            env={**os.environ, "PGPASSWORD": self._secrets["superuser_password"]},
            capture_output=True,
            check=False,
        )
        assert completed.returncode == 0, completed.stderr.decode()
        return completed.stdout


def _read_value(server: redis.Redis, key: bytes) -> bytes:
    readers = {
        b"string": lambda: server.get(key),
        b"list": lambda: server.lrange(key, 0, -1),
        b"set": lambda: server.smembers(key),
        b"zset": lambda: server.zrange(key, 0, -1),
        b"hash": lambda: server.hgetall(key),
        b"stream": lambda: server.xrange(key),
    }
    content = readers.get(bytes(server.type(key)), lambda: b"")()
    return b"".join(_flatten(content))


def _flatten(value: Any) -> Iterator[bytes]:
    if isinstance(value, bytes):
        yield value
    elif isinstance(value, dict):
        for pair in value.items():
            yield from _flatten(pair)
    elif isinstance(value, list | tuple | set):
        for element in value:
            yield from _flatten(element)
