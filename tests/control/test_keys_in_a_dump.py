"""A dump of the control plane contains no key: not in clear, not encoded, and no hash without the pepper."""

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


def get_secret(key: str) -> str:
    """The random part of a key without its checksum."""
    return key.rsplit("_", 1)[1][:-6]


def iter_digests(key: str) -> Iterator[bytes]:
    """Digests that allow guesses to be verified without the pepper."""
    for text in (key.encode(), get_secret(key).encode()):
        for algorithm in ("md5", "sha1", "sha256", "sha512", "blake2b"):
            yield hashlib.new(algorithm, text).digest()
        yield hashlib.blake2b(text, digest_size=16).digest()
        yield from (hmac.digest(pepper, text, "sha256") for pepper in (b"", bytes(32)))


def iter_encodings(key: str) -> Iterator[bytes]:
    """Encodings of the secret and its digests.

    These are text, UTF-16, reversed text, hexadecimal, and base64 of every alignment.
    """
    secret = get_secret(key).encode()
    for plain in (secret, *iter_digests(key)):
        yield plain.hex().encode()
        yield plain.hex().upper().encode()
        yield from (base64.b64encode(bytes(shift) + plain)[4:-4] for shift in range(3))
    yield from (secret, secret[::-1], secret.decode().encode("utf-16-le"), secret.swapcase())


def iter_pieces(key: str) -> Iterator[bytes]:
    for encoding in iter_encodings(key):
        yield from (
            encoding[offset : offset + WINDOW] for offset in range(0, len(encoding) - WINDOW + 1, WINDOW)
        )


def find_keys(dump: bytes, keys: list[str]) -> set[str]:
    """Keys of which twelve consecutive bytes of any encoding occur in the dump."""
    key_by_piece = {piece: key for key in keys for piece in iter_pieces(key)}
    windows = (dump[offset : offset + WINDOW] for offset in range(len(dump)))
    return {key_by_piece[window] for window in windows if window in key_by_piece}


def read_dump(connection: Any) -> bytes:
    """Every table of the database, as a backup would hold it."""
    parts = []
    for (table,) in connection.execute(TABLES).fetchall():
        with connection.cursor().copy(f"COPY {table} TO STDOUT") as rows:
            parts += [bytes(part) for part in rows]
    return b"".join(parts)


def mint_keys(tenant: TenantRef, count: int, actor: Actor) -> list[str]:
    with control_scope(tenant.id, actor=actor) as s:
        return [create_api_key(s, name=f"Key {n}", scopes=["items:read"]).secret for n in range(count)]


@pytest.mark.proof(row=12)
@pytest.mark.timeout(1200)
def test_a_dump_contains_no_minted_key(
    make_tenant: Callable[..., TenantRef], actor: Actor, superuser: Any, scale: Any, figure: Any
) -> None:
    count, max_keys = scale(300, 10_000), PLANS["enterprise"].api_keys
    batch_sizes = [min(max_keys, count - offset) for offset in range(0, count, max_keys)]
    keys = [key for size in batch_sizes for key in mint_keys(make_tenant(plan="enterprise"), size, actor)]
    dump = read_dump(superuser())
    n_ids = sum(key.split("_")[3].encode() in dump for key in keys[:200])
    matches = find_keys(dump, keys)
    assert figure("minted keys, of which the dump gives back", len(matches), of=len(keys), passes=not matches)
    assert figure("ids of minted keys that the dump does hold", n_ids, of=200, passes=n_ids == 200)


@pytest.mark.proof(row=12)
def test_a_key_that_is_stored_in_any_encoding_is_detected(
    tenant: TenantRef, actor: Actor, superuser: Any, figure: Any
) -> None:
    keys = [f"lep_live_eu_{n:014}_{secrets.token_hex(20)}AAAAAA" for n in range(200)]
    n_encodings = len([*iter_encodings(keys[0])])
    planted = []
    with control_scope(tenant.id, actor=actor) as s:
        for key, number in zip(keys, range(min(n_encodings, 50)), strict=False):
            encoding = [*iter_encodings(key)][number]
            text = encoding.replace(b"\0", b"")[:60]
            create_api_key(s, name=text.decode("ascii"), scopes=["items:read"])
            planted.append((key, len(text) >= WINDOW and b"\0" not in encoding))
    expected = {key for key, can_be_stored in planted if can_be_stored}
    matches = find_keys(read_dump(superuser()), keys)
    assert figure(
        "control: keys planted in a spelling that were found",
        len(matches),
        of=len(expected),
        passes=matches == expected,
    )
