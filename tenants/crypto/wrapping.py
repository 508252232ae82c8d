"""Keys sealed by keys. A wrapped key is bound to its row, version and use, like any other value."""

from __future__ import annotations

from collections.abc import Mapping
from os import urandom

from cryptography.exceptions import InvalidTag

from tenants.crypto.aead import LEGACY_SUITE, MAGIC, NONCE_BYTES
from tenants.crypto.associated_data import encode_mapping
from tenants.crypto.handles import KeyHandle
from tenants.errors import DecryptionFailed

# A wrapped key names no key id, so its form has not changed since the first suite.
_HEADER = MAGIC + LEGACY_SUITE
_CIPHERTEXT_OFFSET = len(_HEADER) + NONCE_BYTES


def wrap_bytes(kek: KeyHandle, secret: bytes, *, context: Mapping[str, str]) -> bytes:
    if not context:
        raise ValueError("A wrapped key is bound to its place.")
    nonce = urandom(NONCE_BYTES)
    return _HEADER + nonce + kek.to_aead().encrypt(nonce, secret, encode_mapping(context))


def unwrap_bytes(kek: KeyHandle, blob: bytes, *, context: Mapping[str, str]) -> bytes:
    """Raises DecryptionFailed for another context, another KEK or a changed blob."""
    if not blob.startswith(_HEADER):
        raise DecryptionFailed
    try:
        return kek.to_aead().decrypt(
            blob[len(_HEADER) : _CIPHERTEXT_OFFSET], blob[_CIPHERTEXT_OFFSET:], encode_mapping(context)
        )
    except (InvalidTag, ValueError):
        raise DecryptionFailed from None


def wrap(kek: KeyHandle, key: KeyHandle, *, context: Mapping[str, str]) -> bytes:
    return wrap_bytes(kek, key.reveal_material(), context=context)


def unwrap(kek: KeyHandle, blob: bytes, *, context: Mapping[str, str]) -> KeyHandle:
    return KeyHandle(unwrap_bytes(kek, blob, context=context))
