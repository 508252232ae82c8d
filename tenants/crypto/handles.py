"""Key handles: secrets that can be used, but not printed, copied, pickled or compared."""

from __future__ import annotations

import secrets
from typing import Never, SupportsIndex

from cryptography.hazmat.primitives.ciphers.aead import AESGCMSIV

KEY_BYTES = 32


class UnpicklableSecret:
    """Base class of objects that hold key material."""

    __slots__ = ()

    def __repr__(self) -> str:
        return f"<{type(self).__name__}>"

    # copy.copy and copy.deepcopy use the pickle protocol too, so both methods also prevent copies.
    def __reduce_ex__(self, protocol: SupportsIndex) -> Never:
        raise TypeError(f"{type(self).__name__} cannot be pickled or copied.")

    def __reduce__(self) -> Never:
        raise TypeError(f"{type(self).__name__} cannot be pickled or copied.")


class KeyHandle(UnpicklableSecret):
    """256 bits of key material. Only `tenants.crypto` calls `reveal_material`."""

    __slots__ = ("_material",)

    def __init__(self, material: bytes) -> None:
        if len(material) != KEY_BYTES:
            raise ValueError("A key has 32 bytes.")
        self._material = material

    @classmethod
    def generate(cls) -> KeyHandle:
        """Draws a new key from the operating system's random source."""
        return cls(secrets.token_bytes(KEY_BYTES))

    def reveal_material(self) -> bytes:
        """Returns the 32 secret bytes, to wrap them or to derive a hash state."""
        return self._material

    def to_aead(self) -> AESGCMSIV:
        """Returns AES-256-GCM-SIV under this key."""
        return AESGCMSIV(self._material)

    def __eq__(self, other: object) -> Never:
        # `==` on key bytes is not constant-time, and no caller needs it.
        raise TypeError("Keys are not compared.")

    __hash__ = None  # type: ignore[assignment]
