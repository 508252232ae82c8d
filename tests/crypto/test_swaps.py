"""Nothing passes for anything else: swaps of every kind, every flipped bit, every cut; one kind of refusal."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from pathlib import Path

import pytest

from tenants.crypto import KeyHandle
from tenants.crypto.kms import LocalKms
from tenants.crypto.streams import SEALED_SEGMENT_BYTES
from tenants.crypto.wrapping import unwrap, wrap
from tests.proofs import Scale

from . import attacks
from .attacks import ATTACKS, PLAINTEXT, STREAM_HEAD_BYTES, Cell, outcome

Figure = Callable[..., bool]
CONTEXT = {"use": "purpose-key", "tenant": "a"}


def test_each_value_of_the_attacks_opens_where_it_belongs(tmp_path: Path) -> None:
    kek, kms = KeyHandle(attacks.MATERIAL), LocalKms(tmp_path / "eu.key")
    assert Cell().open(Cell().seal()) == PLAINTEXT
    assert attacks.opened_stream(attacks.sealed_stream()) == attacks._CONTENT
    assert attacks.opened_stream(attacks._WITH_NEWER_KEY) == PLAINTEXT
    assert (
        unwrap(kek, wrap(kek, kek, context=CONTEXT), context=CONTEXT).reveal_material()
        == kek.reveal_material()
    )
    assert kms.unwrap(kms.wrap(PLAINTEXT, context=CONTEXT), context=CONTEXT) == PLAINTEXT


def test_an_attack_that_succeeds_and_an_error_that_leaks_are_noticed() -> None:
    def leak() -> object:
        raise attacks.DecryptionFailed(f"not {PLAINTEXT.hex()}")

    assert outcome(lambda: Cell().open(Cell().seal())) == "opened"
    assert outcome(leak) == "leaked a secret"
    assert outcome(lambda: 1 / 0) == "raised ZeroDivisionError"


@pytest.mark.proof(row=8)
def test_swaps_of_every_kind_are_refused_alike(scale: Scale, figure: Figure, tmp_path: Path) -> None:
    draw, count = random.Random(7), scale(1_000, 10_000)
    kinds = {**ATTACKS, "between root keys' places": attacks.between_roots(LocalKms(tmp_path / "eu.key"))}
    names = [list(kinds)[number % len(kinds)] for number in range(count)]
    seen = Counter((name, outcome(kinds[name](draw))) for name in names)
    unexpected = {key: number for key, number in seen.items() if key[1] != "refused"}
    assert {name for name, _ in seen} == set(kinds)
    assert figure("swaps that were not refused", sum(unexpected.values()), of=count, passes=not unexpected), (
        unexpected
    )


def _sample(kind: str, size: int) -> tuple[bytes, Callable[[bytes], object]]:
    """A sealed value of `size` bytes, and how it is opened."""
    content = (PLAINTEXT * (size // len(PLAINTEXT) + 1))[:size]
    kek = KeyHandle(attacks.MATERIAL)
    if kind == "cell":
        cipher = Cell()._cipher()
        return cipher.seal(content, b"row"), lambda blob: cipher.open(blob, b"row")
    if kind == "batch":
        cipher = Cell()._cipher()
        good = cipher.seal(content, b"row")
        return good, lambda blob: cipher.open_many([good, blob], [b"row", b"row"])
    if kind == "stream":
        return attacks.sealed_stream(content), attacks.opened_stream
    return wrap(kek, kek, context=CONTEXT), lambda blob: unwrap(kek, blob, context=CONTEXT)


KINDS = ("cell", "batch", "stream", "wrapped key")


def _flips(blob: bytes) -> Iterator[bytes]:
    for at in range(len(blob)):
        for bit in range(8):
            yield blob[:at] + bytes([blob[at] ^ 1 << bit]) + blob[at + 1 :]


def _cuts(blob: bytes) -> Iterator[bytes]:
    for at in range(len(blob)):
        yield blob[:at]
        yield blob[at + 1 :]
        yield blob[:at] + blob[at + 1 :]
    yield blob + b"\0"
    yield blob + blob


def _refused(opens: Callable[[bytes], object], changed: Iterable[bytes]) -> Counter[str]:
    return Counter(outcome(partial(opens, blob)) for blob in changed)


@pytest.mark.proof(row=8)
@pytest.mark.parametrize("kind", KINDS)
def test_every_flipped_bit_is_refused(kind: str, scale: Scale, figure: Figure) -> None:
    seen: Counter[str] = Counter()
    for size in range(scale(3, 40)):
        blob, opens = _sample(kind, size)
        seen += _refused(opens, _flips(blob))
    bad = seen.total() - seen["refused"]
    assert figure(f"flipped bits of a {kind} not refused", bad, of=seen.total(), passes=bad == 0), seen


@pytest.mark.proof(row=8)
@pytest.mark.parametrize("kind", KINDS)
def test_every_cut_and_addition_is_refused(kind: str, scale: Scale, figure: Figure) -> None:
    seen: Counter[str] = Counter()
    for size in range(scale(5, 80)):
        blob, opens = _sample(kind, size)
        seen += _refused(opens, _cuts(blob))
    bad = seen.total() - seen["refused"]
    assert figure(f"cuts and additions of a {kind} not refused", bad, of=seen.total(), passes=bad == 0), seen


def _around_borders(blob: bytes) -> list[int]:
    """Positions near every border between head, nonces, chunks and tags of a long stream."""
    chunks = range(STREAM_HEAD_BYTES, len(blob), SEALED_SEGMENT_BYTES)
    inside = {at + by for at in chunks for by in (0, 12, SEALED_SEGMENT_BYTES - 16)}
    borders = {0, 4, 8, len(blob) - 16, len(blob), *inside}
    return sorted({at + by for at in borders for by in (-1, 0, 1) if 0 <= at + by < len(blob)})


def _flipped_and_cut(blob: bytes, positions: Iterable[int]) -> Iterator[bytes]:
    for at in positions:
        yield blob[:at] + bytes([blob[at] ^ 1]) + blob[at + 1 :]
        yield blob[:at]


@pytest.mark.proof(row=8)
def test_a_long_stream_is_refused_wherever_it_is_cut_or_changed(scale: Scale, figure: Figure) -> None:
    blob, draw = attacks.sealed_stream(), random.Random(11)
    somewhere = [draw.randrange(len(blob)) for _ in range(scale(20, 1_000))]
    seen = _refused(attacks.opened_stream, _flipped_and_cut(blob, [*_around_borders(blob), *somewhere]))
    bad = seen.total() - seen["refused"]
    assert figure("changes and cuts of a 3 MiB stream not refused", bad, of=seen.total(), passes=bad == 0), (
        seen
    )
