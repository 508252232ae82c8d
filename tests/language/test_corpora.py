"""Training rows and test rows are disjoint."""

from __future__ import annotations

from recommender.language.preprocessing.corpora import split_train_test_rows


def test_training_and_test_rows_partition_all_rows() -> None:
    train_rows, test_rows = split_train_test_rows(1_000, seed=3)
    assert len(test_rows) == 100
    assert sorted([*train_rows.tolist(), *test_rows.tolist()]) == list(range(1_000))


def test_the_same_seed_gives_the_same_split() -> None:
    assert split_train_test_rows(50)[1].tolist() == split_train_test_rows(50)[1].tolist()
    assert split_train_test_rows(50)[1].tolist() != split_train_test_rows(50, seed=1)[1].tolist()
