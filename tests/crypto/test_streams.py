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

PLACE = StreamContext(purpose=Purpose.MODEL, version="7", name="model.safetensors")
CONTENT = urandom(3 * SEGMENT_BYTES + 17)


def _sealed(keyring: Keyring, content: bytes, place: StreamContext = PLACE) -> bytes:
    return b"".join(seal_segments(keyring, BytesIO(content), stream_context=place))


def _opened(keyring: Keyring, blob: bytes, place: StreamContext = PLACE) -> bytes:
    return b"".join(open_segments(keyring, BytesIO(blob), stream_context=place))


def _parts(blob: bytes) -> tuple[bytes, list[bytes]]:
    head = blob[:24]
    return head, [blob[at : at + SEALED_SEGMENT_BYTES] for at in range(24, len(blob), SEALED_SEGMENT_BYTES)]


@pytest.mark.parametrize(
    "size", [0, 1, SEGMENT_BYTES - 1, SEGMENT_BYTES, SEGMENT_BYTES + 1, 2 * SEGMENT_BYTES]
)
def test_any_length_comes_back(keyring: Keyring, size: int) -> None:
    assert _opened(keyring, _sealed(keyring, CONTENT[:size])) == CONTENT[:size]


class Dribble(RawIOBase):
    """Returns at most 65,537 bytes per read, like a socket."""

    def __init__(self, content: bytes) -> None:
        self._source = BytesIO(content)

    def read(self, size: int = -1, /) -> bytes:
        return self._source.read(min(size, 65_537))


def test_short_reads_of_the_source_change_nothing(keyring: Keyring) -> None:
    source = Dribble(_sealed(keyring, CONTENT))
    opened = open_segments(keyring, source, stream_context=PLACE)  # type: ignore[arg-type]
    assert b"".join(opened) == CONTENT


REARRANGED: dict[str, Callable[[list[bytes]], list[bytes]]] = {
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


@pytest.mark.parametrize("attack", REARRANGED)
def test_chunks_cannot_be_rearranged_or_cut(keyring: Keyring, attack: str) -> None:
    head, chunks = _parts(_sealed(keyring, CONTENT))
    with pytest.raises(DecryptionFailed):
        _opened(keyring, head + b"".join(REARRANGED[attack](chunks)))


def test_a_cut_at_a_chunk_border_is_seen_by_the_last_flag(keyring: Keyring) -> None:
    head, chunks = _parts(_sealed(keyring, CONTENT[: 2 * SEGMENT_BYTES]))
    with pytest.raises(DecryptionFailed):
        _opened(keyring, head + chunks[0])


def test_a_chunk_of_another_sealing_of_the_same_file_is_refused(keyring: Keyring) -> None:
    head, chunks = _parts(_sealed(keyring, CONTENT))
    _, other_chunks = _parts(_sealed(keyring, CONTENT))
    with pytest.raises(DecryptionFailed):
        _opened(keyring, head + b"".join([other_chunks[0], *chunks[1:]]))


@pytest.mark.parametrize(
    "elsewhere",
    [
        replace(PLACE, version="8"),
        replace(PLACE, name="other.safetensors"),
        replace(PLACE, purpose=Purpose.RECEIPT),
    ],
    ids=["another version", "another file", "another purpose"],
)
def test_a_stream_opens_only_in_its_own_context(keyring: Keyring, elsewhere: StreamContext) -> None:
    with pytest.raises(DecryptionFailed):
        _opened(keyring, _sealed(keyring, b"x"), elsewhere)


def test_another_tenant_or_region_with_the_same_keys_is_refused(make_keyring: MakeKeyring) -> None:
    keyring = make_keyring()
    for other in (make_keyring(), make_keyring(region="cn", tenant=keyring.tenant)):
        with pytest.raises(DecryptionFailed):
            _opened(other, _sealed(keyring, b"x"))


@pytest.mark.parametrize("at", [0, 3, 4, 7, 8, 23, 24, 35, 36, 42, -1])
def test_a_flipped_bit_anywhere_is_refused(keyring: Keyring, at: int) -> None:
    blob = bytearray(_sealed(keyring, b"weights"))
    blob[at] ^= 1
    with pytest.raises(DecryptionFailed):
        _opened(keyring, bytes(blob))


def test_every_truncation_of_a_short_stream_is_refused(keyring: Keyring) -> None:
    blob = _sealed(keyring, b"weights")
    for size in range(len(blob)):
        with pytest.raises(DecryptionFailed):
            _opened(keyring, blob[:size])
    assert _opened(keyring, blob) == b"weights"


def test_a_nameless_stream_is_a_mistake_of_the_caller() -> None:
    with pytest.raises(ValueError, match="bound to its version"):
        StreamContext(purpose=Purpose.MODEL, version="", name="x")


class Zeros(RawIOBase):
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
    for segment in seal_segments(keyring, Zeros(), stream_context=PLACE):  # type: ignore[arg-type]
        written += len(segment)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert written > 64 << 20
    assert peak < 8 << 20
