from __future__ import annotations

import tracemalloc
from collections.abc import Callable
from dataclasses import replace
from io import BytesIO, RawIOBase
from os import urandom

import pytest

from tenants.crypto import Keyring, Purpose
from tenants.crypto.streams import (
    SEALED_SEGMENT_BYTES,
    SEGMENT_BYTES,
    StreamContext,
    open_segments,
    seal_segments,
)
from tenants.errors import DecryptionFailed

from .conftest import MakeKeyring

STREAM_CONTEXT = StreamContext(purpose=Purpose.MODEL, version="7", name="model.safetensors")
CONTENT = urandom(3 * SEGMENT_BYTES + 17)


def _seal(keyring: Keyring, content: bytes, stream_context: StreamContext = STREAM_CONTEXT) -> bytes:
    return b"".join(seal_segments(keyring, BytesIO(content), stream_context=stream_context))


def _open(keyring: Keyring, blob: bytes, stream_context: StreamContext = STREAM_CONTEXT) -> bytes:
    return b"".join(open_segments(keyring, BytesIO(blob), stream_context=stream_context))


def _split(blob: bytes) -> tuple[bytes, list[bytes]]:
    head = blob[:24]
    return head, [
        blob[index : index + SEALED_SEGMENT_BYTES] for index in range(24, len(blob), SEALED_SEGMENT_BYTES)
    ]


@pytest.mark.parametrize(
    "size", [0, 1, SEGMENT_BYTES - 1, SEGMENT_BYTES, SEGMENT_BYTES + 1, 2 * SEGMENT_BYTES]
)
def test_streams_of_any_length_are_decrypted(keyring: Keyring, size: int) -> None:
    assert _open(keyring, _seal(keyring, CONTENT[:size])) == CONTENT[:size]


class ShortReads(RawIOBase):
    """Returns at most 65,537 bytes per read, like a socket."""

    def __init__(self, content: bytes) -> None:
        self._source = BytesIO(content)

    def read(self, size: int = -1, /) -> bytes:
        return self._source.read(min(size, 65_537))


def test_short_reads_of_the_source_are_handled(keyring: Keyring) -> None:
    source = ShortReads(_seal(keyring, CONTENT))
    opened = open_segments(keyring, source, stream_context=STREAM_CONTEXT)  # type: ignore[arg-type]
    assert b"".join(opened) == CONTENT


REARRANGEMENTS: dict[str, Callable[[list[bytes]], list[bytes]]] = {
    "reordered": lambda chunks: [chunks[1], chunks[0], *chunks[2:]],
    "last chunk cut": lambda chunks: chunks[:-1],
    "all chunks cut": lambda _: [],
    "first chunk cut": lambda chunks: chunks[1:],
    "chunk repeated": lambda chunks: [chunks[0], *chunks],
    "last chunk twice": lambda chunks: [*chunks, chunks[-1]],
    "middle chunk cut": lambda chunks: [chunks[0], *chunks[2:]],
    "end of last chunk cut": lambda chunks: [*chunks[:-1], chunks[-1][:-1]],
    "byte appended": lambda chunks: [*chunks[:-1], chunks[-1] + b"\0"],
}


@pytest.mark.parametrize("attack", REARRANGEMENTS)
def test_chunks_cannot_be_rearranged_or_cut(keyring: Keyring, attack: str) -> None:
    head, chunks = _split(_seal(keyring, CONTENT))
    with pytest.raises(DecryptionFailed):
        _open(keyring, head + b"".join(REARRANGEMENTS[attack](chunks)))


def test_a_cut_at_a_chunk_border_is_detected_by_the_last_flag(keyring: Keyring) -> None:
    head, chunks = _split(_seal(keyring, CONTENT[: 2 * SEGMENT_BYTES]))
    with pytest.raises(DecryptionFailed):
        _open(keyring, head + chunks[0])


def test_a_chunk_of_another_sealing_of_the_same_file_is_refused(keyring: Keyring) -> None:
    head, chunks = _split(_seal(keyring, CONTENT))
    _, other_chunks = _split(_seal(keyring, CONTENT))
    with pytest.raises(DecryptionFailed):
        _open(keyring, head + b"".join([other_chunks[0], *chunks[1:]]))


@pytest.mark.parametrize(
    "other_context",
    [
        replace(STREAM_CONTEXT, version="8"),
        replace(STREAM_CONTEXT, name="other.safetensors"),
        replace(STREAM_CONTEXT, purpose=Purpose.RECEIPT),
    ],
    ids=["another version", "another file", "another purpose"],
)
def test_a_stream_opens_only_in_its_own_context(keyring: Keyring, other_context: StreamContext) -> None:
    with pytest.raises(DecryptionFailed):
        _open(keyring, _seal(keyring, b"x"), other_context)


def test_another_tenant_or_region_with_the_same_keys_is_refused(make_keyring: MakeKeyring) -> None:
    keyring = make_keyring()
    for other in (make_keyring(), make_keyring(region="cn", tenant=keyring.tenant)):
        with pytest.raises(DecryptionFailed):
            _open(other, _seal(keyring, b"x"))


@pytest.mark.parametrize("index", [0, 3, 4, 7, 8, 23, 24, 35, 36, 42, -1])
def test_a_flipped_bit_anywhere_is_refused(keyring: Keyring, index: int) -> None:
    blob = bytearray(_seal(keyring, b"weights"))
    blob[index] ^= 1
    with pytest.raises(DecryptionFailed):
        _open(keyring, bytes(blob))


def test_every_truncation_of_a_short_stream_is_refused(keyring: Keyring) -> None:
    blob = _seal(keyring, b"weights")
    for size in range(len(blob)):
        with pytest.raises(DecryptionFailed):
            _open(keyring, blob[:size])
    assert _open(keyring, blob) == b"weights"


def test_a_stream_without_a_version_raises_value_error() -> None:
    with pytest.raises(ValueError, match="bound to its version"):
        StreamContext(purpose=Purpose.MODEL, version="", name="x")


class ZeroStream(RawIOBase):
    """64 MiB of zeros that are never in memory at once."""

    def __init__(self) -> None:
        self._remaining = 64 << 20

    def read(self, size: int = -1, /) -> bytes:
        count = min(size, self._remaining)
        self._remaining -= count
        return bytes(count)


def test_memory_stays_bounded_whatever_the_length(keyring: Keyring) -> None:
    tracemalloc.start()
    written = 0
    for segment in seal_segments(keyring, ZeroStream(), stream_context=STREAM_CONTEXT):  # type: ignore[arg-type]
        written += len(segment)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert written > 64 << 20
    assert peak < 8 << 20
