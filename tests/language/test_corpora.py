"""What is measured was not learned from."""

from __future__ import annotations

from recommender.language.preprocessing.corpora import split_train_test_rows


def test_the_held_out_tenth_and_the_rest_are_everything_and_share_nothing() -> None:
    rest, tenth = split_train_test_rows(1_000, seed=3)
    assert len(tenth) == 100
    assert sorted([*rest.tolist(), *tenth.tolist()]) == list(range(1_000))


def test_the_same_seed_holds_out_the_same_rows() -> None:
    assert split_train_test_rows(50)[1].tolist() == split_train_test_rows(50)[1].tolist()
    assert split_train_test_rows(50)[1].tolist() != split_train_test_rows(50, seed=1)[1].tolist()
