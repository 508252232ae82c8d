"""The fixed-width event record, and the batches and chunks made of it.

A record starts with its version; a reader refuses a version that it does not know. Times are milliseconds of
Unix time in UTC. `event` and `recommendation` are 64-bit keyed hashes, 0 where the client gave none.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from tenants.errors import DecryptionFailed

VERSION = 1
RECORD_DTYPE = np.dtype(
    [
        ("version", "u1"),
        ("flags", "u1"),
        ("kind", "<u2"),
        ("item", "<u4"),
        ("source", "<u4"),
        ("value", "<f4"),
        ("price", "<f4"),
        ("quantity", "<f4"),
        ("at", "<i8"),
        ("event", "<u8"),
        ("recommendation", "<u8"),
    ]
)
Records = NDArray[np.void]
CHUNK_EVENTS = 512
_SEQ = struct.Struct(">q")


def unpack_records(body: bytes) -> Records:
    """Records of one opened chunk, read-only. Raises DecryptionFailed for a foreign layout."""
    if len(body) % RECORD_DTYPE.itemsize:
        raise DecryptionFailed("A chunk has a broken record.")
    records = np.frombuffer(body, dtype=RECORD_DTYPE)
    if records.size and not (records["version"] == VERSION).all():
        raise DecryptionFailed("A chunk has records of an unknown version.")
    return records


def join_records(bodies: Iterable[bytes]) -> Records:
    """Records of several opened chunks, in the order given."""
    return unpack_records(b"".join(bodies))


def encode_chunk_row_id(profile_key: bytes, seq: int) -> bytes:
    """The row a chunk is bound to."""
    return profile_key + _SEQ.pack(seq)


def sort_by_time(records: Records) -> Records:
    """Oldest first; events of the same millisecond keep their order of arrival."""
    at = records["at"]
    if records.size < 2 or bool((at[1:] >= at[:-1]).all()):
        return records
    ordered: Records = records[np.argsort(at, kind="stable")]
    return ordered


def drop_repeats(records: Records) -> Records:
    """The first of each event id stays; events without an id all stay. Keeps the order."""
    identified = np.flatnonzero(records["event"])
    if identified.size < 2:
        return records
    _, first = np.unique(records["event"][identified], return_index=True)
    if first.size == identified.size:
        return records
    keep = records["event"] == 0
    keep[identified[first]] = True
    kept: Records = records[keep]
    return kept
