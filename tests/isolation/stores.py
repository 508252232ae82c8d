"""Everything that lies on the disks and in the memory of an installation's services, as bytes."""

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
Secrets = dict[str, Any]


class Stores:
    """Of the installation in `home`, whose secrets are those of its supervisor. Its servers run."""

    def __init__(self, home: Path, *, binaries: Path, secrets: Secrets) -> None:
        self.home, self._binaries, self._secrets = home, binaries, secrets

    def sql(self, statement: str, database: str = "lepton_control") -> Any:
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

    def position(self) -> str:
        """Where the write-ahead log stands."""
        return str(self.sql("SELECT pg_current_wal_insert_lsn()")[0][0])

    def dumps(self) -> Iterator[bytes]:
        """Every database as `pg_dump` writes it: binary values in hexadecimal."""
        for name in DATABASES:
            yield self._run("pg_dump", *self._server(), "--format", "plain", name)

    def files(self) -> Iterator[bytes]:
        """Every file below the installation: tables, write-ahead log, Valkey, models, logs, letters."""
        self.sql("CHECKPOINT")
        for path in sorted(self.home.rglob("*")):
            if path.is_file() and not path.relative_to(self.home).parts[0].startswith("binaries"):
                yield path.read_bytes()

    def folder(self, name: str) -> Iterator[bytes]:
        for path in sorted((self.home / name).rglob("*")):
            if path.is_file():
                yield path.read_bytes()

    def pages(self, since: str) -> Iterator[bytes]:
        """Pages of tables as the write-ahead log holds them compressed."""
        with tempfile.TemporaryDirectory() as folder:
            log = self.home / "postgres" / "data" / "pg_wal"
            arguments = ["--path", str(log), "--start", since, "--end", self.position()]
            self._run("pg_waldump", *arguments, "--quiet", "--save-fullpage", f"{folder}/pages")
            for path in sorted(Path(folder).rglob("*_main")):
                yield path.read_bytes()

    def valkey(self) -> Iterator[bytes]:
        """Every key in memory with its value, read by type and as the server serialises it."""
        for database in range(16):
            with redis.Redis(
                port=self._secrets["valkey_port"], password=self._secrets["valkey_password"], db=database
            ) as server:
                for key in server.scan_iter(count=1_000):
                    yield bytes(key) + b" " + (server.dump(key) or b"") + b" " + _value(server, key)

    def _server(self) -> list[str]:
        return ["--host", "127.0.0.1", "--port", str(self._secrets["postgres_port"]), "--username", SUPERUSER]

    def _run(self, program: str, *options: str) -> bytes:
        done = subprocess.run(
            [str(self._binaries / program), *options],
            env={**os.environ, "PGPASSWORD": self._secrets["superuser_password"]},
            capture_output=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr.decode()
        return done.stdout


def _value(server: redis.Redis, key: bytes) -> bytes:
    readers = {
        b"string": lambda: server.get(key),
        b"list": lambda: server.lrange(key, 0, -1),
        b"set": lambda: server.smembers(key),
        b"zset": lambda: server.zrange(key, 0, -1),
        b"hash": lambda: server.hgetall(key),
        b"stream": lambda: server.xrange(key),
    }
    content = readers.get(bytes(server.type(key)), lambda: b"")()
    return b"".join(_flat(content))


def _flat(value: Any) -> Iterator[bytes]:
    if isinstance(value, bytes):
        yield value
    elif isinstance(value, dict):
        for pair in value.items():
            yield from _flat(pair)
    elif isinstance(value, list | tuple | set):
        for part in value:
            yield from _flat(part)
