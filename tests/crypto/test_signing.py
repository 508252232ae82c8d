from __future__ import annotations

from tenants.crypto.signing import Signer, verify_signature

SIGNER = Signer(bytes(32))


def test_a_signature_verifies_and_has_a_key_id() -> None:
    assert verify_signature(b"body", SIGNER.sign(b"body"), public_key=SIGNER.public_key)
    assert len(SIGNER.key_id) == 16


def test_another_body_key_or_signature_does_not_verify() -> None:
    signature = SIGNER.sign(b"body")
    assert not verify_signature(b"Body", signature, public_key=SIGNER.public_key)
    assert not verify_signature(b"body", signature, public_key=Signer(bytes([1]) * 32).public_key)
    assert not verify_signature(b"body", signature[:-1], public_key=SIGNER.public_key)
    assert not verify_signature(b"body", signature, public_key=b"short")
