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

from tenants.crypto import associated_data
from tenants.crypto.aead import AES_256_GCM_SIV, LEGACY_SUITE, NONCE_BYTES, TAG_BYTES
from tenants.crypto.keyring import Keyring
from tenants.crypto.purposes import Purpose
from tenants.errors import DecryptionFailed

SEGMENT_BYTES = 1 << 20
SEALED_SEGMENT_BYTES = NONCE_BYTES + SEGMENT_BYTES + TAG_BYTES
_MAGIC = b"LPS" + AES_256_GCM_SIV
_KEY_ID_BYTES = {
    _MAGIC: associated_data.KEY_ID_BYTES,
    b"LPS" + LEGACY_SUITE: associated_data.LEGACY_KEY_ID_BYTES,
}
_STREAM_ID_BYTES = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamContext:
    """Which file of which model (or export) a stream is. `version` and `name` are never empty."""

    purpose: Purpose
    version: str
    name: str

    def __post_init__(self) -> None:
        if not (self.version and self.name):
            raise ValueError("A stream is bound to its version and file name.")


def seal_stream(
    keyring: Keyring, source: BinaryIO, target: BinaryIO, *, stream_context: StreamContext
) -> int:
    """Bytes written to `target`."""
    return sum(target.write(part) for part in seal_segments(keyring, source, stream_context=stream_context))


def open_stream(
    keyring: Keyring, source: BinaryIO, target: BinaryIO, *, stream_context: StreamContext
) -> int:
    """Bytes written to `target`. After DecryptionFailed the caller discards what `target` holds so far."""
    return sum(target.write(part) for part in open_segments(keyring, source, stream_context=stream_context))


def seal_segments(keyring: Keyring, source: BinaryIO, *, stream_context: StreamContext) -> Iterator[bytes]:
    """The header, then one sealed chunk at a time."""
    key_id, key = keyring.get_primary_aead(stream_context.purpose)
    stream_id = urandom(_STREAM_ID_BYTES)
    named = associated_data.encode_key_id(key_id)
    yield _MAGIC + named + stream_id
    prefix = _encode_prefix(keyring, stream_context, named, stream_id)
    for number, chunk, last in _iter_segments(source, SEGMENT_BYTES):
        nonce = urandom(NONCE_BYTES)
        yield nonce + key.encrypt(nonce, chunk, prefix + _encode_position(number, is_last=last))


def open_segments(keyring: Keyring, source: BinaryIO, *, stream_context: StreamContext) -> Iterator[bytes]:
    """Verified chunks in order. Trust the whole only when the iterator has ended without DecryptionFailed."""
    named, stream_id = _read_header(source)
    key = keyring.get_aead(stream_context.purpose, int.from_bytes(named, "big"))
    prefix = _encode_prefix(keyring, stream_context, named, stream_id)
    for number, sealed, last in _iter_segments(source, SEALED_SEGMENT_BYTES):
        position = _encode_position(number, is_last=last)
        try:
            chunk = key.decrypt(sealed[:NONCE_BYTES], sealed[NONCE_BYTES:], prefix + position)
        except (InvalidTag, ValueError):
            raise DecryptionFailed from None
        yield chunk


def _read_header(source: BinaryIO) -> tuple[bytes, bytes]:
    """Key id, as bytes, and stream id. Raises DecryptionFailed for what is no sealed stream."""
    width = _KEY_ID_BYTES.get(_read_exactly(source, len(_MAGIC)))
    if width is None:
        raise DecryptionFailed
    rest = _read_exactly(source, width + _STREAM_ID_BYTES)
    if len(rest) != width + _STREAM_ID_BYTES:
        raise DecryptionFailed
    return rest[:width], rest[width:]


def _encode_prefix(keyring: Keyring, stream_context: StreamContext, key_id: bytes, stream_id: bytes) -> bytes:
    where = (
        keyring.region,
        keyring.tenant,
        stream_context.purpose,
        stream_context.version,
        stream_context.name,
    )
    return associated_data.encode_associated_data(associated_data.STREAM, *where, key_id, stream_id)


def _encode_position(number: int, *, is_last: bool) -> bytes:
    return number.to_bytes(8, "big") + (b"\x01" if is_last else b"\x00")


def _iter_segments(source: BinaryIO, size: int) -> Iterator[tuple[int, bytes, bool]]:
    """Chunks of `size` bytes with their number; an empty source is one empty last chunk."""
    number, chunk = 0, _read_exactly(source, size)
    while following := _read_exactly(source, size):
        yield number, chunk, False
        number, chunk = number + 1, following
    yield number, chunk, True


def _read_exactly(source: BinaryIO, size: int) -> bytes:
    """`size` bytes unless the source ends: sockets and pipes may give less at a time."""
    parts, missing = [], size
    while missing and (part := source.read(missing)):
        parts.append(part)
        missing -= len(part)
    return b"".join(parts)
