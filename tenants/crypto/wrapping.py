"""Keys sealed by keys. A wrapped key is bound to its row, version and use, like any other value."""

from __future__ import annotations

from collections.abc import Mapping
from os import urandom

from cryptography.exceptions import InvalidTag

from tenants.crypto.aead import FIRST_SUITE, MAGIC, NONCE_BYTES
from tenants.crypto.context import encode_mapping
from tenants.crypto.handles import KeyHandle
from tenants.errors import DecryptionFailed

# A wrapped key names no key id, so its form has not changed since the first suite.
_HEAD = MAGIC + FIRST_SUITE
_BODY_AT = len(_HEAD) + NONCE_BYTES


def wrap_bytes(kek: KeyHandle, secret: bytes, *, context: Mapping[str, str]) -> bytes:
    if not context:
        raise ValueError("A wrapped key is bound to its place.")
    nonce = urandom(NONCE_BYTES)
    return _HEAD + nonce + kek.aead().encrypt(nonce, secret, encode_mapping(context))


def unwrap_bytes(kek: KeyHandle, blob: bytes, *, context: Mapping[str, str]) -> bytes:
    """Raises DecryptionFailed for another context, another KEK or a changed blob."""
    if not blob.startswith(_HEAD):
        raise DecryptionFailed
    try:
        return kek.aead().decrypt(blob[len(_HEAD) : _BODY_AT], blob[_BODY_AT:], encode_mapping(context))
    except (InvalidTag, ValueError):
        raise DecryptionFailed from None


def wrap(kek: KeyHandle, key: KeyHandle, *, context: Mapping[str, str]) -> bytes:
    return wrap_bytes(kek, key.material(), context=context)


def unwrap(kek: KeyHandle, blob: bytes, *, context: Mapping[str, str]) -> KeyHandle:
    return KeyHandle(unwrap_bytes(kek, blob, context=context))
