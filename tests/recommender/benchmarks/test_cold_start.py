"""The evaluate_cold command: what is known of items that nobody chose."""

from __future__ import annotations

import argparse
import csv
import io
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from django.core.management import CommandError, call_command

from recommender.benchmarks.cold_start import (
    CATEGORY_BASELINE,
    RANDOM_BASELINE,
    SERVED_BLEND,
    add_cold_start_arguments,
    compute_category_baseline,
    evaluate_cold_start,
    run_cold_start_evaluation,
    split_cold_items,
)
from recommender.dataset import Dataset, ItemContent
from recommender.types import DataError
from tests.recommender.checkerboard import ITEMS, checkerboard

LABELS = [["shop", "even" if item % 2 == 0 else "odd"] for item in range(ITEMS)]


@pytest.fixture
def files(tmp_path: Path, board: Dataset) -> tuple[Path, Path]:
    data, items = tmp_path / "data.txt", tmp_path / "items.csv"
    lines = [
        f"u{user} " + " ".join(map(str, board.histories.slice_row(user))) for user in range(board.n_users)
    ]
    data.write_text("\n".join(lines), encoding="utf-8")
    with items.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["item_id", "title", "categories"])
        writer.writerows(
            [item, ("crimson", "azure")[item % 2], " > ".join(LABELS[item])] for item in range(ITEMS)
        )
    return data, items


def options(data: Path, items: Path, *more: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    add_cold_start_arguments(parser)
    return parser.parse_args(["--data", str(data), "--items", str(items), *more])


def test_nothing_of_a_hidden_item_is_left_for_training(board: Dataset) -> None:
    asked = split_cold_items(board, 0.25, np.random.default_rng(0))
    train = asked.split.train
    assert len(asked.cold_items) == ITEMS // 4
    assert not set(asked.cold_items.tolist()) & set(train.item.tolist())
    assert set(asked.split.target.tolist()) <= set(asked.cold_items.tolist())
    assert not set(asked.cold_items.tolist()) & set(asked.split.histories.item.tolist())
    for case, user in enumerate(asked.split.user.tolist()):
        assert asked.split.target[case] == board.histories.slice_row(user)[-1]


def test_who_knows_the_colour_finds_every_cold_item_of_it(board: Dataset) -> None:
    figures = evaluate_cold_start(
        replace(board, image_embeddings=None, triple_tokens=None),
        LABELS,
        cold_fraction=0.5,
        k=6,
        rng=np.random.default_rng(1),
        log=print,
    )
    results = {name: found["recall@6"] for name, found in figures["results"].items()}
    assert results["blend"] > 0.9
    assert results[RANDOM_BASELINE] == 0.5
    assert 0.8 < results[CATEGORY_BASELINE] <= 1


def test_what_is_served_knows_cold_items_too(board: Dataset) -> None:
    figures = evaluate_cold_start(
        replace(board, triple_tokens=None),
        LABELS,
        cold_fraction=0.5,
        k=6,
        rng=np.random.default_rng(1),
        log=print,
        served_profile="fast",
    )
    assert figures["results"][SERVED_BLEND]["recall@6"] > 0.9


def test_the_bar_of_categories_is_the_chance_of_a_draw() -> None:
    rows = [[0, 1, 2, 6], [0, 1, 2, 8], [3, 6], [0, 1, 4, 9]]
    board = Dataset.from_sequences(rows, n_items=10)
    labels = [["a"], ["a"], ["b"], ["c"], ["d"], ["a"], ["a"], ["b"], ["b"], ["d"]]
    asked = split_cold_items(board, 1.0, np.random.default_rng(0), eligible_items=np.arange(5, 10))
    # Cold are 5 and 6 (a), 7 and 8 (b), 9 (d). Of user 0's two first categories, a then b, item 6 is one of the two first;
    # of user 1 item 8 is one of two after the two of a; user 2 likes only c, so any of five; user 3 likes a, then d.
    assert compute_category_baseline(asked, labels, 1).tolist() == [0.5, 0.0, 0.2, 0.0]
    assert compute_category_baseline(asked, labels, 3).tolist() == [1.0, 0.5, 0.6, 1.0]


def test_ties_count_against_the_target(board: Dataset) -> None:
    flat = replace(
        board, image_embeddings=None, triple_tokens=None, content=ItemContent(("same words",) * ITEMS)
    )
    figures = evaluate_cold_start(
        flat, LABELS, cold_fraction=0.5, k=6, rng=np.random.default_rng(1), log=print
    )
    assert figures["results"]["content"]["recall@6"] == 0


def test_the_command_prints_the_table_and_writes_the_figures(
    files: tuple[Path, Path], tmp_path: Path
) -> None:
    out, figures = io.StringIO(), tmp_path / "figures.json"
    triples = tmp_path / "triples.csv"
    triples.write_text(
        "head,relation,tail\n" + "".join(f"{n},is,{n % 2}\n" for n in range(ITEMS)), encoding="utf-8"
    )
    more = ("--share", "0.5", "--k", "6", "--json", str(figures), "--triples", str(triples))
    run_cold_start_evaluation(options(*files, *more), out=out, progress=io.StringIO())
    written = json.loads(figures.read_text())
    assert set(written["results"]) == {
        "content",
        "triple_similarity",
        "blend",
        RANDOM_BASELINE,
        CATEGORY_BASELINE,
    }
    assert "12 items hidden" in out.getvalue()
    assert "top categories at random" in out.getvalue()


def test_bad_files_are_one_sentence(files: tuple[Path, Path], tmp_path: Path) -> None:
    data, items = files
    without = tmp_path / "without.csv"
    without.write_text("item_id,title\n1,x\n", encoding="utf-8")
    with pytest.raises(CommandError, match="lacks the column categories"):
        call_command("evaluate_cold", data=data, items=without)
    with pytest.raises(CommandError, match="lacks the column head"):
        call_command("evaluate_cold", data=data, items=items, triples=without)


def test_where_nobody_can_be_asked_it_says_so() -> None:
    with pytest.raises(DataError, match="Nobody's last event"):
        split_cold_items(
            Dataset.from_sequences([[0, 1]], n_items=5),
            0.2,
            np.random.default_rng(0),
            eligible_items=np.array([4]),
        )


def test_nothing_known_of_items_is_said(board: Dataset) -> None:
    bare = replace(checkerboard(), image_embeddings=None, triple_tokens=None, content=None)
    with pytest.raises(DataError, match="Nothing is known about the items"):
        evaluate_cold_start(bare, LABELS, cold_fraction=0.5, k=5, rng=np.random.default_rng(0), log=print)
