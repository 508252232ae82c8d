"""Key wrapping: a key encrypted under a key-encryption key (KEK), bound to its row, version and use.

A wrapped key has these fields: magic (2 bytes, b"LP"), format (1 byte), nonce (12 bytes), ciphertext (32 bytes),
tag (16 bytes). The KEK is known from the row, so there is no key id.
"""

from __future__ import annotations

from collections.abc import Mapping
from os import urandom

from cryptography.exceptions import InvalidTag

from tenants.crypto.aead import MAGIC, NONCE_BYTES
from tenants.crypto.associated_data import encode_mapping
from tenants.crypto.handles import KeyHandle
from tenants.errors import DecryptionFailed

# AES-256-GCM-SIV without a key id; differs from the suite byte of sealed values.
_FORMAT = b"\x01"
_HEADER = MAGIC + _FORMAT
_CIPHERTEXT_OFFSET = len(_HEADER) + NONCE_BYTES


def wrap_bytes(kek: KeyHandle, secret: bytes, *, context: Mapping[str, str]) -> bytes:
    """Encrypts `secret` under `kek`, bound to `context`. Raises ValueError if the context is empty."""
    if not context:
        raise ValueError("A wrapped key is bound to its place.")
    nonce = urandom(NONCE_BYTES)
    return _HEADER + nonce + kek.to_aead().encrypt(nonce, secret, encode_mapping(context))


def unwrap_bytes(kek: KeyHandle, blob: bytes, *, context: Mapping[str, str]) -> bytes:
    """Returns the secret. Raises DecryptionFailed for another context, another KEK or a changed blob."""
    if not blob.startswith(_HEADER):
        raise DecryptionFailed
    nonce = blob[len(_HEADER) : _CIPHERTEXT_OFFSET]
    ciphertext = blob[_CIPHERTEXT_OFFSET:]
    try:
        return kek.to_aead().decrypt(nonce, ciphertext, encode_mapping(context))
    except (InvalidTag, ValueError):
        raise DecryptionFailed from None


def wrap(kek: KeyHandle, key: KeyHandle, *, context: Mapping[str, str]) -> bytes:
    """As `wrap_bytes`, for a key."""
    return wrap_bytes(kek, key.reveal_material(), context=context)


def unwrap(kek: KeyHandle, blob: bytes, *, context: Mapping[str, str]) -> KeyHandle:
    """As `unwrap_bytes`, for a key."""
    return KeyHandle(unwrap_bytes(kek, blob, context=context))
