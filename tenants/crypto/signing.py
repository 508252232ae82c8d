"""Ed25519 signatures of the platform on receipts and certificates. They stay valid after a tenant's keys are gone."""

from __future__ import annotations

import hashlib

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from tenants.crypto.handles import UnpicklableSecret


class Signer(UnpicklableSecret):
    """An Ed25519 private key made from a 32-byte seed.

    `key_id` names the public key: the first 16 hexadecimal digits of its SHA-256.
    """

    __slots__ = ("_key", "key_id", "public_key")

    def __init__(self, seed: bytes) -> None:
        self._key = Ed25519PrivateKey.from_private_bytes(seed)
        self.public_key = self._key.public_key().public_bytes_raw()
        self.key_id = hashlib.sha256(self.public_key).hexdigest()[:16]

    def sign(self, body: bytes) -> bytes:
        """Returns the signature of `body`: 64 bytes."""
        return self._key.sign(body)


def verify_signature(body: bytes, signature: bytes, *, public_key: bytes) -> bool:
    """Returns whether `signature` is valid for `body`; False also for malformed keys and signatures."""
    try:
        Ed25519PublicKey.from_public_bytes(public_key).verify(signature, body)
    except (InvalidSignature, ValueError):
        return False
    return True
