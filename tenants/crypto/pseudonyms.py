"""Pseudonyms: HMAC-SHA256 of a readable id under a key of the tenant, truncated to 16 bytes."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import TYPE_CHECKING
from unicodedata import normalize

from tenants.crypto.handles import KeyHandle, UnpicklableSecret

if TYPE_CHECKING:
    from hashlib import _Hash

PSEUDONYM_BYTES = 16
_HMAC_BLOCK_BYTES = 64
_MAX_KIND_BYTES = 255


class KeyedHash(UnpicklableSecret):
    """HMAC-SHA256 (RFC 2104) with precomputed states of the key pads.

    Copying the two SHA-256 states costs half as much as `hmac.digest`, which hashes both pads at each call.
    """

    __slots__ = ("_inner", "_outer", "_started_hashes")

    def __init__(self, key: KeyHandle) -> None:
        block = key.reveal_material().ljust(_HMAC_BLOCK_BYTES, b"\0")
        # 0x36 and 0x5C are the inner and outer pad of RFC 2104.
        self._inner = hashlib.sha256(bytes(byte ^ 0x36 for byte in block))
        self._outer = hashlib.sha256(bytes(byte ^ 0x5C for byte in block))
        self._started_hashes: dict[str, _Hash] = {}

    def hash_many(self, kind: str, values: Sequence[bytes], *, size: int = PSEUDONYM_BYTES) -> list[bytes]:
        """Returns the first `size` bytes of `HMAC(key, len(kind) || kind || value)` of each value, in order.

        Raises ValueError unless `kind` has 1 to 255 bytes.
        """
        copy_inner, copy_outer = self._start_hash(kind).copy, self._outer.copy
        digests = []
        for value in values:
            inner, outer = copy_inner(), copy_outer()
            inner.update(value)
            outer.update(inner.digest())
            digests.append(outer.digest()[:size])
        return digests

    def _start_hash(self, kind: str) -> _Hash:
        state = self._started_hashes.get(kind)
        if state is None:
            label = kind.encode()
            if not 0 < len(label) <= _MAX_KIND_BYTES:
                raise ValueError("A kind has 1 to 255 bytes.")
            state = self._inner.copy()
            # The length in front of the kind keeps ("ui", "d7") and ("uid", "7") apart.
            state.update(bytes([len(label)]) + label)
            self._started_hashes[kind] = state
        return state


def normalize_value(value: str) -> bytes:
    """Returns UTF-8 of the NFC form without surrounding white space. Raises ValueError for lone surrogates."""
    if not value.isascii():
        # ASCII text is already in NFC; most ids are ASCII, and the call costs more than the hash.
        value = normalize("NFC", value)
    return value.strip().encode()
