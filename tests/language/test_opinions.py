"""Opinions are counts over people."""

from __future__ import annotations

import numpy as np
import pytest

from recommender.language.opinions import (
    LEAST_VOICES,
    NO_OPINIONS,
    Opinions,
    Reading,
    Voice,
    as_features,
    gathered,
)
from recommender.types import DataError


def voices(item: int, signs: list[int], *, first: int = 0) -> list[Voice]:
    return [
        Voice(item, f"p{first + n}".encode(), n, Reading(0.9 if sign > 0 else 0.1, {"fit": sign}))
        for n, sign in enumerate(signs)
    ]


def test_shares_are_of_the_people_who_had_an_opinion() -> None:
    quiet = [Voice(1, b"q", 0, Reading(0.9))]
    opinion = gathered(voices(1, [1, 1, 1, 1, -1]) + quiet).get(1)
    assert opinion is not None
    assert (opinion.voices, opinion.praised) == (6, 5)
    assert (opinion.aspects["fit"].said, opinion.aspects["fit"].share) == (5, 0.8)


def test_an_item_or_an_aspect_that_fewer_than_five_spoke_about_is_not_there() -> None:
    assert LEAST_VOICES == 5
    few = gathered(voices(1, [1] * 4) + voices(2, [1] * 4) + [Voice(2, b"q", 0, Reading(0.9))])
    assert few.get(1) is None
    two = few.get(2)
    assert two is not None
    assert two.aspects == {}


def test_who_writes_again_counts_once_by_the_latest_review() -> None:
    again = Voice(1, b"p0", 99, Reading(0.1, {"fit": -1}))
    opinion = gathered([again, *voices(1, [1] * 5)]).get(1)
    assert opinion is not None
    assert (opinion.voices, opinion.praised) == (5, 4)


def test_an_intent_of_fewer_than_five_people_is_not_told() -> None:
    readings = [Reading(0.5, {}, frozenset({"return"} if n < 5 else {"ask"})) for n in range(9)]
    opinion = gathered(Voice(1, str(n).encode(), 0, one) for n, one in enumerate(readings)).get(1)
    assert opinion is not None
    assert opinion.intents == {"return": 5}


def test_what_is_written_is_read_again() -> None:
    made = gathered(voices(7, [1, 1, 1, 1, -1]) + voices(3, [-1] * 6))
    again = Opinions.from_bytes(made.to_bytes())
    assert [again.get(item) for item in (3, 7, 5)] == [made.get(item) for item in (3, 7, 5)]
    assert len(Opinions.from_bytes(NO_OPINIONS.to_bytes())) == 0


@pytest.mark.parametrize("damaged", [b"", b"\xff" * 40, b"{}", NO_OPINIONS.to_bytes()[:-3]])
def test_a_damaged_table_is_refused(damaged: bytes) -> None:
    with pytest.raises(DataError):
        Opinions.from_bytes(damaged)


def test_few_voices_move_an_item_less_than_many() -> None:
    features = as_features(
        gathered(voices(1, [1] * 5) + voices(2, [1] * 50) + voices(3, [-1] * 50)), [1, 2, 3, 4], ("fit",)
    )
    assert 0 < features.regard[0] < features.regard[1]
    assert features.regard[2] < 0 == features.regard[3]
    assert 0 < features.aspects[0, 0] < features.aspects[1, 0]
    assert features.columns().shape == (4, 3)
    assert np.isfinite(features.columns()).all()


def test_an_aspect_can_be_taken_away() -> None:
    left = gathered(voices(1, [1] * 5)).without({"fit"}).get(1)
    assert left is not None
    assert left.aspects == {}
