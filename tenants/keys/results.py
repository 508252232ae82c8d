"""Return types of key actions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from tenants.crypto import Purpose
from tenants.crypto.signing import verify_signature


@dataclass(frozen=True, slots=True)
class Rotation:
    """One step of a rotation.

    `stage` is "added" (a pending key was created), "waiting" (the pending key is too new to be promoted) or "promoted"
    (the key seals from now on).
    """

    purpose: Purpose
    key_id: int
    stage: Literal["added", "waiting", "promoted"]


@dataclass(frozen=True, slots=True)
class SignedCertificate:
    """A shred certificate. `body` is the signed UTF-8 JSON; `signature` is empty without a signing key."""

    body: bytes
    signature: bytes
    signer: str

    def verify_signature(self, public_key: bytes) -> bool:
        """Returns whether the signature is valid under the platform's public key."""
        return verify_signature(self.body, self.signature, public_key=public_key)
