"""Traces of a region: words, ids and ciphertexts in every encoding that storage may use."""

from __future__ import annotations

import base64
import secrets
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from uuid import UUID

from tests.residency.deployment import Servers

# The last bytes of a ciphertext are random: no other value has the same.
_TAG = 16
_MAX_CIPHERTEXTS = 40
_BYTEA = """
SELECT c.oid::regclass::text, a.attname FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid
JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind = 'r' AND n.nspname = 'public' AND a.atttypid = 'bytea'::regtype AND NOT a.attisdropped
"""


@dataclass
class Traces:
    """All `words` start with `prefix`, so that one search finds any of them."""

    region: str
    words: list[str] = field(default_factory=list)
    tenants: list[UUID] = field(default_factory=list)
    ids: list[UUID] = field(default_factory=list)
    ciphertexts: list[bytes] = field(default_factory=list)

    @property
    def prefix(self) -> str:
        return f"canary{self.region}"

    def mint_word(self) -> str:
        self.words.append(f"{self.prefix}{secrets.token_hex(8)}")
        return self.words[-1]

    def build_encodings(self) -> dict[str, list[bytes]]:
        """Maps each kind of trace to the bytes to search for."""
        return {
            "word": list(_iter_text_encodings(self.prefix)),
            "tenant": [encoding for value in self.tenants for encoding in _iter_uuid_encodings(value)],
            "id": [encoding for value in self.ids for encoding in _iter_uuid_encodings(value)],
            "ciphertext": [
                encoding for value in self.ciphertexts for encoding in (value, value.hex().encode())
            ],
        }

    def find_kinds(self, contents: Iterable[bytes]) -> set[str]:
        encodings_by_kind = self.build_encodings()
        kinds: set[str] = set()
        for content in contents:
            for kind, encodings in encodings_by_kind.items():
                if any(encoding in content for encoding in encodings):
                    kinds.add(kind)
        return kinds


def _iter_text_encodings(word: str) -> Iterator[bytes]:
    plain = word.encode()
    yield from (plain, word.encode("utf-16-le"), plain.hex().encode())
    for shift in range(3):
        encoded = base64.b64encode(bytes(shift) + plain)
        yield encoded[-(-shift * 8 // 6) : (shift + len(plain)) * 8 // 6]


def _iter_uuid_encodings(value: UUID) -> Iterator[bytes]:
    yield from (value.bytes, str(value).encode(), value.hex.encode(), base64.b64encode(value.bytes)[:21])


def sample_ciphertexts(servers: Servers) -> list[bytes]:
    """The last bytes of some encrypted values of every table."""
    values: list[bytes] = []
    for database in servers.list_databases():
        with servers.connect(database) as connection:
            for table, column in connection.execute(_BYTEA).fetchall():
                query = f"SELECT substring({column} FROM length({column}) - {_TAG - 1}) FROM {table}"
                rows = connection.execute(f"{query} WHERE length({column}) > 48 ORDER BY random() LIMIT 10")
                values += [bytes(ending) for (ending,) in rows]
    return values[:_MAX_CIPHERTEXTS]


def read_contents(servers: Servers) -> dict[str, list[bytes]]:
    """All stored bytes by kind of storage: dumps of the tables, and every file with its path."""
    time.sleep(1.5)  # Valkey writes its file once a second
    with servers.connect("postgres") as connection:
        connection.execute("CHECKPOINT")
    values: dict[str, list[bytes]] = {name: [] for name in ("databases", "store", "queue", "logs", "rest")}
    values["databases"] += _iter_table_dumps(servers)
    for path in sorted(servers.home.rglob("*")):
        if path.is_file() and not path.relative_to(servers.home).parts[0].startswith("binaries"):
            values[_get_kind(path.relative_to(servers.home))] += [path.read_bytes(), str(path).encode()]
    return values


def _get_kind(path: Path) -> str:
    kinds = {"postgres": "databases", "objects": "store", "valkey": "queue", "logs": "logs"}
    return kinds.get(path.parts[0], "rest")


def _iter_table_dumps(servers: Servers) -> Iterator[bytes]:
    for connection, table in servers.iter_tables():
        with connection.cursor().copy(f"COPY {table} TO STDOUT") as rows:
            yield b"".join(bytes(block) for block in rows)
