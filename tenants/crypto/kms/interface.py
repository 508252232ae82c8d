"""A key service wraps and unwraps 32 bytes, bound to a context, under a root key that stays inside it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol


class Kms(Protocol):
    """Implementations raise KeyServiceUnavailable when the service does not answer or refuses us."""

    def wrap(self, secret: bytes, *, context: Mapping[str, str]) -> bytes:
        """Under the newest root key."""

    def unwrap(self, blob: bytes, *, context: Mapping[str, str]) -> bytes:
        """Also under older root keys. Raises DecryptionFailed for a changed blob or another context."""

    def rotate(self) -> None:
        """A new root key for later `wrap`s; the older ones go on unwrapping."""
