"""What is measured was not learned from."""

from __future__ import annotations

from recommender.language.corpora import held_out


def test_the_held_out_tenth_and_the_rest_are_everything_and_share_nothing() -> None:
    rest, tenth = held_out(1_000, seed=3)
    assert len(tenth) == 100
    assert sorted([*rest.tolist(), *tenth.tolist()]) == list(range(1_000))


def test_the_same_seed_holds_out_the_same_rows() -> None:
    assert held_out(50)[1].tolist() == held_out(50)[1].tolist()
    assert held_out(50)[1].tolist() != held_out(50, seed=1)[1].tolist()
