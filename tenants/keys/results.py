"""What key actions answer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from tenants.crypto import Purpose
from tenants.crypto.signing import verify_signature


@dataclass(frozen=True, slots=True)
class Rotation:
    """`added`: known to all processes soon. `waiting`: not yet. `promoted`: seals from now on."""

    purpose: Purpose
    key_id: int
    stage: Literal["added", "waiting", "promoted"]


@dataclass(frozen=True, slots=True)
class SignedCertificate:
    """`body` is UTF-8 JSON, signed as it stands; `signature` is empty without a signing key."""

    body: bytes
    signature: bytes
    signer: str

    def verify_signature(self, public_key: bytes) -> bool:
        return verify_signature(self.body, self.signature, public_key=public_key)
