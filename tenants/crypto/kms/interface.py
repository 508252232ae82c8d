"""The interface of a key service."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol


class Kms(Protocol):
    """Wraps and unwraps 32 bytes, bound to a context, under a root key that never leaves the service.

    All methods raise KeyServiceUnavailable if the service can't be reached or denies the request.
    """

    def wrap(self, secret: bytes, *, context: Mapping[str, str]) -> bytes:
        """Encrypts `secret` under the newest root key."""

    def unwrap(self, blob: bytes, *, context: Mapping[str, str]) -> bytes:
        """Decrypts, also under older root keys. Raises DecryptionFailed for a changed blob or another context."""

    def rotate(self) -> None:
        """Creates a new root key for later calls of `wrap`; older root keys still unwrap."""
