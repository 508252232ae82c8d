"""Associated data (RFC 5116): the context a ciphertext is bound to, in an injective encoding."""

from __future__ import annotations

from collections.abc import Mapping
from uuid import UUID

# The first component of every encoding keeps the three uses apart and versions them.
CELL = "lepton/1/cell"
STREAM = "lepton/1/stream"
WRAP = "lepton/1/wrap"
KEY_ID_BYTES = 4
_LENGTH_BYTES = 4


def encode_associated_data(*components: str | bytes | UUID) -> bytes:
    """Encodes each component after its length in four bytes, so different lists have different encodings."""
    encoded = bytearray()
    for component in components:
        raw = _to_bytes(component)
        encoded += len(raw).to_bytes(_LENGTH_BYTES, "big") + raw
    return bytes(encoded)


def encode_mapping(values: Mapping[str, str]) -> bytes:
    """Encodes the context of a wrapped key: names and values, sorted by name."""
    components: list[str] = []
    for pair in sorted(values.items()):
        components.extend(pair)
    return encode_associated_data(WRAP, *components)


def encode_key_id(key_id: int) -> bytes:
    """Returns the key id in four bytes, big-endian."""
    return key_id.to_bytes(KEY_ID_BYTES, "big")


def _to_bytes(component: str | bytes | UUID) -> bytes:
    if isinstance(component, UUID):
        return component.bytes
    if isinstance(component, str):
        return component.encode()
    return component
