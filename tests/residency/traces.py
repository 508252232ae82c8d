"""What would betray a region in another place: words, ids and ciphertexts, in every way they may be spelled."""

from __future__ import annotations

import base64
import secrets
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from uuid import UUID

from tests.residency.sides import Servers

# After the header (magic, suite, key id) a ciphertext is noise: no other value has the same last bytes.
_TAG = 16
_MOST_SEALED = 40
_BYTEA = """
SELECT c.oid::regclass::text, a.attname FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid
JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind = 'r' AND n.nspname = 'public' AND a.atttypid = 'bytea'::regtype AND NOT a.attisdropped
"""


@dataclass
class Traces:
    """`words` all begin alike, so that one search finds any of them."""

    region: str
    words: list[str] = field(default_factory=list)
    tenants: list[UUID] = field(default_factory=list)
    ids: list[UUID] = field(default_factory=list)
    sealed: list[bytes] = field(default_factory=list)

    @property
    def prefix(self) -> str:
        return f"canary{self.region}"

    def word(self) -> str:
        self.words.append(f"{self.prefix}{secrets.token_hex(8)}")
        return self.words[-1]

    def spelled(self) -> dict[str, list[bytes]]:
        """Kind of trace to the bytes to look for."""
        return {
            "word": list(_text(self.prefix)),
            "tenant": [spelling for value in self.tenants for spelling in _uuid(value)],
            "id": [spelling for value in self.ids for spelling in _uuid(value)],
            "ciphertext": [spelling for value in self.sealed for spelling in (value, value.hex().encode())],
        }

    def found(self, contents: Iterable[bytes]) -> set[str]:
        kinds = self.spelled()
        return {
            kind
            for content in contents
            for kind, spellings in kinds.items()
            if any(spelling in content for spelling in spellings)
        }


def _text(word: str) -> Iterator[bytes]:
    plain = word.encode()
    yield from (plain, word.encode("utf-16-le"), plain.hex().encode())
    for before in range(3):
        coded = base64.b64encode(bytes(before) + plain)
        yield coded[-(-before * 8 // 6) : (before + len(plain)) * 8 // 6]


def _uuid(one: UUID) -> Iterator[bytes]:
    yield from (one.bytes, str(one).encode(), one.hex.encode(), base64.b64encode(one.bytes)[:21])


def ciphertexts(servers: Servers) -> list[bytes]:
    """The ends of sealed values of every table that has any."""
    values: list[bytes] = []
    for database in servers.databases():
        with servers.connect(database) as connection:
            for table, column in connection.execute(_BYTEA).fetchall():
                ends = f"SELECT substring({column} FROM length({column}) - {_TAG - 1}) FROM {table}"
                rows = connection.execute(f"{ends} WHERE length({column}) > 48 ORDER BY random() LIMIT 10")
                values += [bytes(end) for (end,) in rows]
    return values[:_MOST_SEALED]


def places(servers: Servers) -> dict[str, list[bytes]]:
    """Everything there is, by kind of place: what a dump shows, and every file with its name."""
    time.sleep(1.5)  # Valkey writes its file once a second
    with servers.connect("postgres") as connection:
        connection.execute("CHECKPOINT")
    values: dict[str, list[bytes]] = {name: [] for name in ("databases", "store", "queue", "logs", "rest")}
    values["databases"] += _dumps(servers)
    for path in sorted(servers.home.rglob("*")):
        if path.is_file() and not path.relative_to(servers.home).parts[0].startswith("binaries"):
            values[_kind(path.relative_to(servers.home))] += [path.read_bytes(), str(path).encode()]
    return values


def _kind(path: Path) -> str:
    kinds = {"postgres": "databases", "objects": "store", "valkey": "queue", "logs": "logs"}
    return kinds.get(path.parts[0], "rest")


def _dumps(servers: Servers) -> Iterator[bytes]:
    for connection, table in servers.tables():
        with connection.cursor().copy(f"COPY {table} TO STDOUT") as rows:
            yield b"".join(bytes(part) for part in rows)
