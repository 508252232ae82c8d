"""Associated data: where a ciphertext belongs, as bytes that can be read in one way only."""

from __future__ import annotations

from collections.abc import Mapping
from uuid import UUID

CELL = "lepton/1/cell"
STREAM = "lepton/1/stream"
WRAP = "lepton/1/wrap"
KEY_ID_BYTES = 4
LEGACY_KEY_ID_BYTES = 2
MAX_LEGACY_KEY_ID = 32_767


def encode_associated_data(*parts: str | bytes | UUID) -> bytes:
    """Each part behind its length in four bytes, so that no two lists of parts encode alike."""
    return b"".join(len(raw).to_bytes(4, "big") + raw for raw in map(_to_bytes, parts))


def encode_mapping(values: Mapping[str, str]) -> bytes:
    """Independent of insertion order."""
    return encode_associated_data(WRAP, *(part for pair in sorted(values.items()) for part in pair))


def encode_key_id(key_id: int) -> bytes:
    return key_id.to_bytes(KEY_ID_BYTES, "big")


def encode_legacy_key_id(key_id: int) -> bytes:
    """As the first suite had it, when ids were counted and small."""
    return key_id.to_bytes(LEGACY_KEY_ID_BYTES, "big")


def _to_bytes(part: str | bytes | UUID) -> bytes:
    if isinstance(part, UUID):
        return part.bytes
    return part.encode() if isinstance(part, str) else part
