"""Swapped, flipped and cut ciphertexts of every kind are refused with the same error."""

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
from .attacks import ATTACKS, PLAINTEXT, STREAM_HEAD_BYTES, Cell, get_outcome

Figure = Callable[..., bool]
CONTEXT = {"use": "purpose-key", "tenant": "a"}


def test_each_value_of_the_attacks_opens_in_its_context(tmp_path: Path) -> None:
    kek, kms = KeyHandle(attacks.MATERIAL), LocalKms(tmp_path / "eu.key")
    assert Cell().open(Cell().seal()) == PLAINTEXT
    assert attacks.open_stream(attacks.seal_stream()) == attacks._CONTENT
    assert attacks.open_stream(attacks._WITH_NEWER_KEY) == PLAINTEXT
    assert (
        unwrap(kek, wrap(kek, kek, context=CONTEXT), context=CONTEXT).reveal_material()
        == kek.reveal_material()
    )
    assert kms.unwrap(kms.wrap(PLAINTEXT, context=CONTEXT), context=CONTEXT) == PLAINTEXT


def test_successful_attacks_and_leaking_errors_are_detected() -> None:
    def raise_leak() -> object:
        raise attacks.DecryptionFailed(f"not {PLAINTEXT.hex()}")

    assert get_outcome(lambda: Cell().open(Cell().seal())) == "opened"
    assert get_outcome(raise_leak) == "leaked a secret"
    assert get_outcome(lambda: 1 / 0) == "raised ZeroDivisionError"


@pytest.mark.proof(row=8)
def test_swaps_of_every_kind_are_refused_with_the_same_error(
    scale: Scale, figure: Figure, tmp_path: Path
) -> None:
    rng, count = random.Random(7), scale(1_000, 10_000)
    kinds = {**ATTACKS, "between root keys' places": attacks.build_root_attack(LocalKms(tmp_path / "eu.key"))}
    names = [list(kinds)[number % len(kinds)] for number in range(count)]
    outcomes = Counter((name, get_outcome(kinds[name](rng))) for name in names)
    unexpected = {key: number for key, number in outcomes.items() if key[1] != "refused"}
    assert {name for name, _ in outcomes} == set(kinds)
    assert figure("swaps that were not refused", sum(unexpected.values()), of=count, passes=not unexpected), (
        unexpected
    )


def _seal_sample(kind: str, size: int) -> tuple[bytes, Callable[[bytes], object]]:
    """A sealed value of `size` bytes and a function that opens it."""
    content = (PLAINTEXT * (size // len(PLAINTEXT) + 1))[:size]
    kek = KeyHandle(attacks.MATERIAL)
    if kind == "cell":
        cipher = Cell()._get_cipher()
        return cipher.seal(content, b"row"), lambda blob: cipher.open(blob, b"row")
    if kind == "batch":
        cipher = Cell()._get_cipher()
        valid_blob = cipher.seal(content, b"row")
        return valid_blob, lambda blob: cipher.open_many([valid_blob, blob], [b"row", b"row"])
    if kind == "stream":
        return attacks.seal_stream(content), attacks.open_stream
    return wrap(kek, kek, context=CONTEXT), lambda blob: unwrap(kek, blob, context=CONTEXT)


KINDS = ("cell", "batch", "stream", "wrapped key")


def _iter_flips(blob: bytes) -> Iterator[bytes]:
    for index in range(len(blob)):
        for bit in range(8):
            yield blob[:index] + bytes([blob[index] ^ 1 << bit]) + blob[index + 1 :]


def _iter_cuts(blob: bytes) -> Iterator[bytes]:
    for index in range(len(blob)):
        yield blob[:index]
        yield blob[index + 1 :]
        yield blob[:index] + blob[index + 1 :]
    yield blob + b"\0"
    yield blob + blob


def _count_outcomes(open_blob: Callable[[bytes], object], changed_blobs: Iterable[bytes]) -> Counter[str]:
    return Counter(get_outcome(partial(open_blob, blob)) for blob in changed_blobs)


@pytest.mark.proof(row=8)
@pytest.mark.parametrize("kind", KINDS)
def test_every_flipped_bit_is_refused(kind: str, scale: Scale, figure: Figure) -> None:
    outcomes: Counter[str] = Counter()
    for size in range(scale(3, 40)):
        blob, open_blob = _seal_sample(kind, size)
        outcomes += _count_outcomes(open_blob, _iter_flips(blob))
    n_not_refused = outcomes.total() - outcomes["refused"]
    assert figure(
        f"flipped bits of a {kind} not refused", n_not_refused, of=outcomes.total(), passes=n_not_refused == 0
    ), outcomes


@pytest.mark.proof(row=8)
@pytest.mark.parametrize("kind", KINDS)
def test_every_cut_and_addition_is_refused(kind: str, scale: Scale, figure: Figure) -> None:
    outcomes: Counter[str] = Counter()
    for size in range(scale(5, 80)):
        blob, open_blob = _seal_sample(kind, size)
        outcomes += _count_outcomes(open_blob, _iter_cuts(blob))
    n_not_refused = outcomes.total() - outcomes["refused"]
    assert figure(
        f"cuts and additions of a {kind} not refused",
        n_not_refused,
        of=outcomes.total(),
        passes=n_not_refused == 0,
    ), outcomes


def _find_border_positions(blob: bytes) -> list[int]:
    """Positions near every border between head, nonces, chunks and tags of a long stream."""
    chunks = range(STREAM_HEAD_BYTES, len(blob), SEALED_SEGMENT_BYTES)
    inside = {index + offset for index in chunks for offset in (0, 12, SEALED_SEGMENT_BYTES - 16)}
    borders = {0, 4, 8, len(blob) - 16, len(blob), *inside}
    return sorted(
        {index + offset for index in borders for offset in (-1, 0, 1) if 0 <= index + offset < len(blob)}
    )


def _iter_changes(blob: bytes, positions: Iterable[int]) -> Iterator[bytes]:
    for index in positions:
        yield blob[:index] + bytes([blob[index] ^ 1]) + blob[index + 1 :]
        yield blob[:index]


@pytest.mark.proof(row=8)
def test_a_long_stream_is_refused_wherever_it_is_cut_or_changed(scale: Scale, figure: Figure) -> None:
    blob, rng = attacks.seal_stream(), random.Random(11)
    random_positions = [rng.randrange(len(blob)) for _ in range(scale(20, 1_000))]
    outcomes = _count_outcomes(
        attacks.open_stream, _iter_changes(blob, [*_find_border_positions(blob), *random_positions])
    )
    n_not_refused = outcomes.total() - outcomes["refused"]
    assert figure(
        "changes and cuts of a 3 MiB stream not refused",
        n_not_refused,
        of=outcomes.total(),
        passes=n_not_refused == 0,
    ), outcomes
