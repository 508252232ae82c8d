"""Whoever steals a dump of the directory holds no key: not in clear, not encoded, not under a hash without the pepper."""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tenants.control.actions import create_api_key
from tenants.control.plans import PLANS
from tenants.regions import TenantRef
from tenants.scope import Actor, control_scope

WINDOW = 12
TABLES = """
SELECT c.oid::regclass::text FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'p', 'm') AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'pg_toast')
"""


def secret_of(key: str) -> str:
    """The random part, without the checksum that follows from it."""
    return key.rsplit("_", 1)[1][:-6]


def digests(key: str) -> Iterator[bytes]:
    """What would let a thief try keys without the pepper."""
    for text in (key.encode(), secret_of(key).encode()):
        for algorithm in ("md5", "sha1", "sha256", "sha512", "blake2b"):
            yield hashlib.new(algorithm, text).digest()
        yield hashlib.blake2b(text, digest_size=16).digest()
        yield from (hmac.digest(pepper, text, "sha256") for pepper in (b"", bytes(32)))


def spellings(key: str) -> Iterator[bytes]:
    """The secret and its plain digests, as text, wide text, reversed, in hexadecimal and base64 of every alignment."""
    secret = secret_of(key).encode()
    for plain in (secret, *digests(key)):
        yield plain.hex().encode()
        yield plain.hex().upper().encode()
        yield from (base64.b64encode(bytes(shift) + plain)[4:-4] for shift in range(3))
    yield from (secret, secret[::-1], secret.decode().encode("utf-16-le"), secret.swapcase())


def pieces(key: str) -> Iterator[bytes]:
    for spelling in spellings(key):
        yield from (spelling[at : at + WINDOW] for at in range(0, len(spelling) - WINDOW + 1, WINDOW))


def found_in(dump: bytes, keys: list[str]) -> set[str]:
    """Keys of which some twelve bytes of some spelling stand in the dump."""
    key_by_piece = {piece: key for key in keys for piece in pieces(key)}
    return {key_by_piece[part] for at in range(len(dump)) if (part := dump[at : at + WINDOW]) in key_by_piece}


def dump_of(connection: Any) -> bytes:
    """Every table of the database, as a backup would hold it."""
    parts = []
    for (table,) in connection.execute(TABLES).fetchall():
        with connection.cursor().copy(f"COPY {table} TO STDOUT") as rows:
            parts += [bytes(part) for part in rows]
    return b"".join(parts)


def minted(tenant: TenantRef, count: int, actor: Actor) -> list[str]:
    with control_scope(tenant.id, actor=actor) as s:
        return [create_api_key(s, name=f"Key {n}", scopes=["items:read"]).secret for n in range(count)]


@pytest.mark.proof(row=12)
@pytest.mark.timeout(1200)
def test_of_many_minted_keys_a_dump_gives_none_back(
    make_tenant: Callable[..., TenantRef], actor: Actor, superuser: Any, scale: Any, figure: Any
) -> None:
    count, max_keys = scale(300, 10_000), PLANS["enterprise"].api_keys
    shares = [min(max_keys, count - at) for at in range(0, count, max_keys)]
    keys = [key for size in shares for key in minted(make_tenant(plan="enterprise"), size, actor)]
    dump = dump_of(superuser())
    ids = sum(key.split("_")[3].encode() in dump for key in keys[:200])
    matches = found_in(dump, keys)
    assert figure("minted keys, of which the dump gives back", len(matches), of=len(keys), passes=not matches)
    assert figure("ids of minted keys that the dump does hold", ids, of=200, passes=ids == 200)


@pytest.mark.proof(row=12)
def test_a_key_that_is_stored_in_any_spelling_is_found(
    tenant: TenantRef, actor: Actor, superuser: Any, figure: Any
) -> None:
    keys = [f"lep_live_eu_{n:014}_{secrets.token_hex(20)}AAAAAA" for n in range(200)]
    kinds = len([*spellings(keys[0])])
    planted = []
    with control_scope(tenant.id, actor=actor) as s:
        for key, number in zip(keys, range(min(kinds, 50)), strict=False):
            text = [*spellings(key)][number].replace(b"\0", b"")[:60]
            create_api_key(s, name=text.decode("ascii"), scopes=["items:read"])
            planted.append((key, len(text) >= WINDOW and b"\0" not in [*spellings(key)][number]))
    expected = {key for key, can_be_stored in planted if can_be_stored}
    matches = found_in(dump_of(superuser()), keys)
    assert figure(
        "control: keys planted in a spelling that were found",
        len(matches),
        of=len(expected),
        passes=matches == expected,
    )
