from __future__ import annotations

import pytest

from tenants.crypto import KeyHandle
from tenants.crypto.wrapping import unwrap, wrap
from tenants.errors import DecryptionFailed

CONTEXT = {"region": "eu", "tenant": "a", "use": "purpose-key", "purpose": "timeline", "key_id": "1"}


def test_a_key_is_unwrapped_by_its_kek() -> None:
    kek, key = KeyHandle.generate(), KeyHandle.generate()
    assert (
        unwrap(kek, wrap(kek, key, context=CONTEXT), context=CONTEXT).reveal_material()
        == key.reveal_material()
    )


@pytest.mark.parametrize("changed", CONTEXT)
def test_a_wrapped_key_in_another_context_is_refused(changed: str) -> None:
    kek = KeyHandle.generate()
    blob = wrap(kek, KeyHandle.generate(), context=CONTEXT)
    with pytest.raises(DecryptionFailed):
        unwrap(kek, blob, context={**CONTEXT, changed: "other"})


def test_another_kek_is_refused() -> None:
    blob = wrap(KeyHandle.generate(), KeyHandle.generate(), context=CONTEXT)
    with pytest.raises(DecryptionFailed):
        unwrap(KeyHandle.generate(), blob, context=CONTEXT)


def test_a_wrapped_key_without_a_context_raises_value_error() -> None:
    with pytest.raises(ValueError, match="bound to its place"):
        wrap(KeyHandle.generate(), KeyHandle.generate(), context={})


def test_every_truncation_and_flipped_byte_is_refused() -> None:
    kek = KeyHandle.generate()
    blob = wrap(kek, KeyHandle.generate(), context=CONTEXT)
    flipped = [blob[:index] + bytes([blob[index] ^ 1]) + blob[index + 1 :] for index in range(len(blob))]
    for changed in [*flipped, *(blob[:size] for size in range(len(blob)))]:
        with pytest.raises(DecryptionFailed):
            unwrap(kek, changed, context=CONTEXT)
    assert len(flipped) == 63
