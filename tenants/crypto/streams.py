"""Streaming encryption: files of any length, sealed in 1 MiB segments with bounded memory.

A sealed stream has these fields:

    magic        3 bytes   b"LPS"
    suite        1 byte    b"\\x02", AES-256-GCM-SIV
    key id       4 bytes   big-endian
    stream id   16 bytes   random
    segments               nonce (12 bytes), ciphertext, tag (16 bytes) each; all but the last hold exactly 1 MiB

The associated data of a segment is version, region, tenant, purpose, model version, file name, key id, stream id, the
segment's number and whether it is the last one. A segment can't be dropped, reordered or replaced by one of another
file or of another sealing of the same file (the STREAM construction of Hoang et al., CRYPTO 2015).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from os import urandom
from typing import BinaryIO

from cryptography.exceptions import InvalidTag

from tenants.crypto.aead import AES_256_GCM_SIV, NONCE_BYTES, TAG_BYTES
from tenants.crypto.associated_data import KEY_ID_BYTES, STREAM, encode_associated_data, encode_key_id
from tenants.crypto.keyring import Keyring
from tenants.crypto.purposes import Purpose
from tenants.errors import DecryptionFailed

SEGMENT_BYTES = 1 << 20
SEALED_SEGMENT_BYTES = NONCE_BYTES + SEGMENT_BYTES + TAG_BYTES
_MAGIC = b"LPS" + AES_256_GCM_SIV
_STREAM_ID_BYTES = 16


@dataclass(
    frozen=True,
    slots=True,
    kw_only=True,
)
class StreamContext:
    """The file a stream belongs to. `version` is the artefact's version and `name` the file's; neither is empty."""

    purpose: Purpose
    version: str
    name: str

    def __post_init__(self) -> None:
        if not (self.version and self.name):
            raise ValueError("A stream is bound to its version and file name.")


def seal_segments(keyring: Keyring, source: BinaryIO, *, stream_context: StreamContext) -> Iterator[bytes]:
    """Yields the header, then one sealed segment at a time."""
    key_id, key = keyring.get_primary_aead(stream_context.purpose)
    encoded_key_id = encode_key_id(key_id)
    stream_id = urandom(_STREAM_ID_BYTES)
    yield _MAGIC + encoded_key_id + stream_id
    prefix = _encode_prefix(keyring, stream_context, encoded_key_id, stream_id)
    for number, plaintext, is_last in _iter_segments(source, SEGMENT_BYTES):
        nonce = urandom(NONCE_BYTES)
        position = _encode_position(number, is_last=is_last)
        yield nonce + key.encrypt(nonce, plaintext, prefix + position)


def open_segments(keyring: Keyring, source: BinaryIO, *, stream_context: StreamContext) -> Iterator[bytes]:
    """Yields verified segments in order.

    The file is complete only if the iterator ends without DecryptionFailed: discard what was written before it.
    """
    encoded_key_id, stream_id = _read_header(source)
    key = keyring.get_aead(stream_context.purpose, int.from_bytes(encoded_key_id, "big"))
    prefix = _encode_prefix(keyring, stream_context, encoded_key_id, stream_id)
    for number, sealed, is_last in _iter_segments(source, SEALED_SEGMENT_BYTES):
        position = _encode_position(number, is_last=is_last)
        try:
            plaintext = key.decrypt(sealed[:NONCE_BYTES], sealed[NONCE_BYTES:], prefix + position)
        except (InvalidTag, ValueError):
            raise DecryptionFailed from None
        yield plaintext


def _read_header(source: BinaryIO) -> tuple[bytes, bytes]:
    """Returns key id and stream id, as bytes. Raises DecryptionFailed if this is not a sealed stream."""
    if _read_exactly(source, len(_MAGIC)) != _MAGIC:
        raise DecryptionFailed
    encoded_key_id = _read_exactly(source, KEY_ID_BYTES)
    stream_id = _read_exactly(source, _STREAM_ID_BYTES)
    if len(stream_id) != _STREAM_ID_BYTES:
        raise DecryptionFailed
    return encoded_key_id, stream_id


def _encode_prefix(
    keyring: Keyring,
    stream_context: StreamContext,
    encoded_key_id: bytes,
    stream_id: bytes,
) -> bytes:
    return encode_associated_data(
        STREAM,
        keyring.region,
        keyring.tenant,
        stream_context.purpose,
        stream_context.version,
        stream_context.name,
        encoded_key_id,
        stream_id,
    )


def _encode_position(number: int, *, is_last: bool) -> bytes:
    return number.to_bytes(8, "big") + (b"\x01" if is_last else b"\x00")


def _iter_segments(source: BinaryIO, size: int) -> Iterator[tuple[int, bytes, bool]]:
    """Yields (number, segment of `size` bytes, is last). An empty source is one empty last segment."""
    number, segment = 0, _read_exactly(source, size)
    # Reads one segment ahead: only the end of the source shows that a full segment is the last.
    while following := _read_exactly(source, size):
        yield number, segment, False
        number, segment = number + 1, following
    yield number, segment, True


def _read_exactly(source: BinaryIO, size: int) -> bytes:
    """Reads `size` bytes, or fewer at the end of the source; sockets and pipes return fewer at a time."""
    pieces = []
    missing = size
    while missing and (piece := source.read(missing)):
        pieces.append(piece)
        missing -= len(piece)
    return b"".join(pieces)
