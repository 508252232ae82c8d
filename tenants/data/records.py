"""The binary format of events: fixed-width records, concatenated in chunks.

The fields are those of RECORD_DTYPE, little-endian. Readers reject an unknown version. `at` is Unix time in milliseconds;
`event` and `recommendation` are 64-bit keyed hashes, 0 without an id; `value`, `price` and `quantity` are NaN if absent.
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
# Number of records in a full ("settled") chunk.
CHUNK_EVENTS = 512
_SEQ = struct.Struct(">q")


def unpack_records(body: bytes) -> Records:
    """Returns the records of an opened chunk, read-only. Raises DecryptionFailed for another format."""
    if len(body) % RECORD_DTYPE.itemsize:
        raise DecryptionFailed("A chunk has a broken record.")
    records = np.frombuffer(body, dtype=RECORD_DTYPE)
    if records.size and not (records["version"] == VERSION).all():
        raise DecryptionFailed("A chunk has records of an unknown version.")
    return records


def join_records(bodies: Iterable[bytes]) -> Records:
    """Returns the records of several opened chunks, concatenated."""
    return unpack_records(b"".join(bodies))


def encode_chunk_row_id(profile_key: bytes, seq: int) -> bytes:
    """Returns the row id that a chunk is bound to."""
    return profile_key + _SEQ.pack(seq)


def sort_by_time(records: Records) -> Records:
    """Sorts records by time, stably: records of the same millisecond keep their order of arrival."""
    at = records["at"]
    # Most histories are in order already; checking is cheaper than sorting.
    if records.size < 2 or bool((at[1:] >= at[:-1]).all()):
        return records
    ordered: Records = records[np.argsort(at, kind="stable")]
    return ordered


def drop_repeats(records: Records) -> Records:
    """Keeps the first record of each event id, and all records without an id, in their order."""
    identified = np.flatnonzero(records["event"])
    if identified.size < 2:
        return records
    # return_index gives for each distinct id the position of its first record among the identified ones.
    _ids, first_index = np.unique(records["event"][identified], return_index=True)
    if first_index.size == identified.size:
        return records
    keep = records["event"] == 0
    keep[identified[first_index]] = True
    unique: Records = records[keep]
    return unique
