from __future__ import annotations

import pytest

from tenants.crypto import KeyHandle
from tenants.crypto.wrapping import unwrap, wrap
from tenants.errors import DecryptionFailed

PLACE = {"region": "eu", "tenant": "a", "use": "purpose-key", "purpose": "timeline", "key_id": "1"}


def test_a_key_comes_back_under_its_kek() -> None:
    kek, key = KeyHandle.generate(), KeyHandle.generate()
    assert (
        unwrap(kek, wrap(kek, key, context=PLACE), context=PLACE).reveal_material() == key.reveal_material()
    )


@pytest.mark.parametrize("changed", PLACE)
def test_a_wrapped_key_swapped_to_another_place_is_refused(changed: str) -> None:
    kek = KeyHandle.generate()
    blob = wrap(kek, KeyHandle.generate(), context=PLACE)
    with pytest.raises(DecryptionFailed):
        unwrap(kek, blob, context={**PLACE, changed: "other"})


def test_another_kek_is_refused() -> None:
    blob = wrap(KeyHandle.generate(), KeyHandle.generate(), context=PLACE)
    with pytest.raises(DecryptionFailed):
        unwrap(KeyHandle.generate(), blob, context=PLACE)


def test_a_wrapped_key_without_a_place_is_a_mistake_of_the_caller() -> None:
    with pytest.raises(ValueError, match="bound to its place"):
        wrap(KeyHandle.generate(), KeyHandle.generate(), context={})


def test_every_truncation_and_flipped_byte_is_refused() -> None:
    kek = KeyHandle.generate()
    blob = wrap(kek, KeyHandle.generate(), context=PLACE)
    flipped = [blob[:at] + bytes([blob[at] ^ 1]) + blob[at + 1 :] for at in range(len(blob))]
    for changed in [*flipped, *(blob[:size] for size in range(len(blob)))]:
        with pytest.raises(DecryptionFailed):
            unwrap(kek, changed, context=PLACE)
    assert len(flipped) == 63
