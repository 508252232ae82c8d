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

from recommender.dataset import Dataset, ItemContent
from recommender.evaluation.cold import (
    AS_SERVED,
    AT_RANDOM,
    BY_CATEGORY,
    add_arguments,
    by_category,
    evaluate_cold,
    hide,
    run,
)
from recommender.types import DataError
from tests.recommender.checkerboard import ITEMS, checkerboard

LABELS = [["shop", "even" if item % 2 == 0 else "odd"] for item in range(ITEMS)]


@pytest.fixture
def files(tmp_path: Path, board: Dataset) -> tuple[Path, Path]:
    data, items = tmp_path / "data.txt", tmp_path / "items.csv"
    lines = [f"u{user} " + " ".join(map(str, board.histories.row(user))) for user in range(board.users)]
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
    add_arguments(parser)
    return parser.parse_args(["--data", str(data), "--items", str(items), *more])


def test_nothing_of_a_hidden_item_is_left_for_training(board: Dataset) -> None:
    asked = hide(board, 0.25, np.random.default_rng(0))
    train = asked.split.train
    assert len(asked.cold) == ITEMS // 4
    assert not set(asked.cold.tolist()) & set(train.item.tolist())
    assert set(asked.split.target.tolist()) <= set(asked.cold.tolist())
    assert not set(asked.cold.tolist()) & set(asked.split.histories.item.tolist())
    for case, user in enumerate(asked.split.user.tolist()):
        assert asked.split.target[case] == board.histories.row(user)[-1]


def test_who_knows_the_colour_finds_every_cold_item_of_it(board: Dataset) -> None:
    figures = evaluate_cold(
        replace(board, look=None, links=None),
        LABELS,
        share=0.5,
        k=6,
        rng=np.random.default_rng(1),
        report=print,
    )
    results = {name: found["recall@6"] for name, found in figures["results"].items()}
    assert results["blend"] > 0.9
    assert results[AT_RANDOM] == 0.5
    assert 0.8 < results[BY_CATEGORY] <= 1


def test_what_is_served_knows_cold_items_too(board: Dataset) -> None:
    figures = evaluate_cold(
        replace(board, links=None),
        LABELS,
        share=0.5,
        k=6,
        rng=np.random.default_rng(1),
        report=print,
        served="fast",
    )
    assert figures["results"][AS_SERVED]["recall@6"] > 0.9


def test_the_bar_of_categories_is_the_chance_of_a_draw() -> None:
    rows = [[0, 1, 2, 6], [0, 1, 2, 8], [3, 6], [0, 1, 4, 9]]
    board = Dataset.from_sequences(rows, items=10)
    labels = [["a"], ["a"], ["b"], ["c"], ["d"], ["a"], ["a"], ["b"], ["b"], ["d"]]
    asked = hide(board, 1.0, np.random.default_rng(0), among=np.arange(5, 10))
    # Cold are 5 and 6 (a), 7 and 8 (b), 9 (d). Of user 0's two first categories, a then b, item 6 is one of the two first;
    # of user 1 item 8 is one of two after the two of a; user 2 likes only c, so any of five; user 3 likes a, then d.
    assert by_category(asked, labels, 1).tolist() == [0.5, 0.0, 0.2, 0.0]
    assert by_category(asked, labels, 3).tolist() == [1.0, 0.5, 0.6, 1.0]


def test_ties_count_against_the_target(board: Dataset) -> None:
    flat = replace(board, look=None, links=None, content=ItemContent(("same words",) * ITEMS))
    figures = evaluate_cold(flat, LABELS, share=0.5, k=6, rng=np.random.default_rng(1), report=print)
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
    run(options(*files, *more), out=out, progress=io.StringIO())
    written = json.loads(figures.read_text())
    assert set(written["results"]) == {"content", "knowledge", "blend", AT_RANDOM, BY_CATEGORY}
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
        hide(Dataset.from_sequences([[0, 1]], items=5), 0.2, np.random.default_rng(0), among=np.array([4]))


def test_nothing_known_of_items_is_said(board: Dataset) -> None:
    bare = replace(checkerboard(), look=None, links=None, content=None)
    with pytest.raises(DataError, match="Nothing is known about the items"):
        evaluate_cold(bare, LABELS, share=0.5, k=5, rng=np.random.default_rng(0), report=print)
