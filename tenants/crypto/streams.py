"""Files of any length, sealed in 1 MiB chunks with bounded memory.

A sealed stream is `magic(3) suite(1) key id(4) stream id(16)`, then `nonce(12) ciphertext tag(16)` for each
chunk; all but the last hold exactly 1 MiB. Each chunk is bound to version, region, tenant, purpose, model
version, file name, key id, stream id, its number and whether it is the last, so that nothing can be cut,
swapped, reordered or taken from another file or another sealing of the same file. Streams of the first suite, whose
key ids have two bytes, are opened and no longer made.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from os import urandom
from typing import BinaryIO

from cryptography.exceptions import InvalidTag

from tenants.crypto import context
from tenants.crypto.aead import AES_256_GCM_SIV, FIRST_SUITE, NONCE_BYTES, TAG_BYTES
from tenants.crypto.keyring import Keyring
from tenants.crypto.purposes import Purpose
from tenants.errors import DecryptionFailed

CHUNK_BYTES = 1 << 20
SEALED_CHUNK_BYTES = NONCE_BYTES + CHUNK_BYTES + TAG_BYTES
_MAGIC = b"LPS" + AES_256_GCM_SIV
_KEY_ID_BYTES = {_MAGIC: context.KEY_ID_BYTES, b"LPS" + FIRST_SUITE: context.FIRST_KEY_ID_BYTES}
_STREAM_ID_BYTES = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Which file of which model (or export) a stream is. `version` and `name` are never empty."""

    purpose: Purpose
    version: str
    name: str

    def __post_init__(self) -> None:
        if not (self.version and self.name):
            raise ValueError("A stream is bound to its version and file name.")


def seal_stream(keyring: Keyring, source: BinaryIO, target: BinaryIO, *, place: Place) -> int:
    """Bytes written to `target`."""
    return sum(target.write(part) for part in sealed_parts(keyring, source, place=place))


def open_stream(keyring: Keyring, source: BinaryIO, target: BinaryIO, *, place: Place) -> int:
    """Bytes written to `target`. After DecryptionFailed the caller discards what `target` holds so far."""
    return sum(target.write(part) for part in opened_parts(keyring, source, place=place))


def sealed_parts(keyring: Keyring, source: BinaryIO, *, place: Place) -> Iterator[bytes]:
    """The header, then one sealed chunk at a time."""
    key_id, key = keyring.sealing(place.purpose)
    stream_id = urandom(_STREAM_ID_BYTES)
    named = context.key_id_bytes(key_id)
    yield _MAGIC + named + stream_id
    prefix = _prefix(keyring, place, named, stream_id)
    for number, chunk, last in _with_last(source, CHUNK_BYTES):
        nonce = urandom(NONCE_BYTES)
        yield nonce + key.encrypt(nonce, chunk, prefix + _position(number, last=last))


def opened_parts(keyring: Keyring, source: BinaryIO, *, place: Place) -> Iterator[bytes]:
    """Verified chunks in order. Trust the whole only when the iterator has ended without DecryptionFailed."""
    named, stream_id = _head(source)
    key = keyring.opening(place.purpose, int.from_bytes(named, "big"))
    prefix = _prefix(keyring, place, named, stream_id)
    for number, sealed, last in _with_last(source, SEALED_CHUNK_BYTES):
        position = _position(number, last=last)
        try:
            chunk = key.decrypt(sealed[:NONCE_BYTES], sealed[NONCE_BYTES:], prefix + position)
        except (InvalidTag, ValueError):
            raise DecryptionFailed from None
        yield chunk


def _head(source: BinaryIO) -> tuple[bytes, bytes]:
    """Key id, as bytes, and stream id. Raises DecryptionFailed for what is no sealed stream."""
    width = _KEY_ID_BYTES.get(_read(source, len(_MAGIC)))
    if width is None:
        raise DecryptionFailed
    rest = _read(source, width + _STREAM_ID_BYTES)
    if len(rest) != width + _STREAM_ID_BYTES:
        raise DecryptionFailed
    return rest[:width], rest[width:]


def _prefix(keyring: Keyring, place: Place, key_id: bytes, stream_id: bytes) -> bytes:
    where = (keyring.region, keyring.tenant, place.purpose, place.version, place.name)
    return context.encode(context.STREAM, *where, key_id, stream_id)


def _position(number: int, *, last: bool) -> bytes:
    return number.to_bytes(8, "big") + (b"\x01" if last else b"\x00")


def _with_last(source: BinaryIO, size: int) -> Iterator[tuple[int, bytes, bool]]:
    """Chunks of `size` bytes with their number; an empty source is one empty last chunk."""
    number, chunk = 0, _read(source, size)
    while following := _read(source, size):
        yield number, chunk, False
        number, chunk = number + 1, following
    yield number, chunk, True


def _read(source: BinaryIO, size: int) -> bytes:
    """`size` bytes unless the source ends: sockets and pipes may give less at a time."""
    parts, missing = [], size
    while missing and (part := source.read(missing)):
        parts.append(part)
        missing -= len(part)
    return b"".join(parts)
