"""`cold-start`: recall among items without any training event."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from recommender.benchmarks.__main__ import run_benchmark
from recommender.benchmarks.cold_start import (
    CATEGORY_BASELINE,
    ENSEMBLE_RESULT,
    RANDOM_BASELINE,
    compute_category_baseline,
    evaluate_cold_start,
    split_cold_items,
)
from recommender.dataset import Dataset, ItemContent
from recommender.types import DataError
from tests.recommender.checkerboard import ITEMS, make_checkerboard

CATEGORIES = [["shop", "even" if item % 2 == 0 else "odd"] for item in range(ITEMS)]


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
            [item, ("crimson", "azure")[item % 2], " > ".join(CATEGORIES[item])] for item in range(ITEMS)
        )
    return data, items


def run_cold_start(data: Path, items: Path, *options: str) -> str:
    out = io.StringIO()
    arguments = ["cold-start", "--data", str(data), "--items", str(items), *options]
    run_benchmark(arguments, out=out, progress=io.StringIO())
    return out.getvalue()


def test_no_event_of_a_cold_item_is_in_the_training_data(board: Dataset) -> None:
    cold_split = split_cold_items(board, 0.25, np.random.default_rng(0))
    cold_items = set(cold_split.cold_items.tolist())
    assert len(cold_items) == ITEMS // 4
    assert not cold_items & set(cold_split.split.train.item.tolist())
    assert set(cold_split.split.target.tolist()) <= cold_items
    assert not cold_items & set(cold_split.split.histories.item.tolist())
    for case, user in enumerate(cold_split.split.user.tolist()):
        assert cold_split.split.target[case] == board.histories.slice_row(user)[-1]


def test_content_ranks_every_cold_item_of_the_right_colour_first(board: Dataset) -> None:
    metrics = evaluate_cold_start(
        replace(board, image_embeddings=None, triple_tokens=None),
        CATEGORIES,
        cold_fraction=0.5,
        k=6,
        rng=np.random.default_rng(1),
        log=print,
    )
    recall = {name: result["recall@6"] for name, result in metrics["results"].items()}
    assert recall["blend"] > 0.9
    assert recall[RANDOM_BASELINE] == 0.5
    assert 0.8 < recall[CATEGORY_BASELINE] <= 1


def test_a_full_ensemble_ranks_cold_items_too(board: Dataset) -> None:
    metrics = evaluate_cold_start(
        replace(board, triple_tokens=None),
        CATEGORIES,
        cold_fraction=0.5,
        k=6,
        rng=np.random.default_rng(1),
        log=print,
        ensemble_profile="fast",
    )
    assert metrics["results"][ENSEMBLE_RESULT]["recall@6"] > 0.9


def test_the_category_baseline_is_the_probability_of_a_random_draw() -> None:
    rows = [[0, 1, 2, 6], [0, 1, 2, 8], [3, 6], [0, 1, 4, 9]]
    board = Dataset.from_sequences(rows, n_items=10)
    categories = [["a"], ["a"], ["b"], ["c"], ["d"], ["a"], ["a"], ["b"], ["b"], ["d"]]
    cold_split = split_cold_items(board, 1.0, np.random.default_rng(0), eligible_items=np.arange(5, 10))
    # Cold are 5 and 6 (a), 7 and 8 (b), 9 (d). Of user 0's two first categories, a then b, item 6 is one of the two first;
    # of user 1 item 8 is one of two after the two of a; user 2 likes only c, so any of five; user 3 likes a, then d.
    assert compute_category_baseline(cold_split, categories, 1).tolist() == [0.5, 0.0, 0.2, 0.0]
    assert compute_category_baseline(cold_split, categories, 3).tolist() == [1.0, 0.5, 0.6, 1.0]


def test_ties_count_against_the_target(board: Dataset) -> None:
    same_texts = ItemContent(("same words",) * ITEMS)
    metrics = evaluate_cold_start(
        replace(board, image_embeddings=None, triple_tokens=None, content=same_texts),
        CATEGORIES,
        cold_fraction=0.5,
        k=6,
        rng=np.random.default_rng(1),
        log=print,
    )
    assert metrics["results"]["content"]["recall@6"] == 0


def test_the_command_prints_the_table_and_writes_the_metrics(
    files: tuple[Path, Path], tmp_path: Path
) -> None:
    json_path, triples = tmp_path / "metrics.json", tmp_path / "triples.csv"
    triples.write_text(
        "head,relation,tail\n" + "".join(f"{n},is,{n % 2}\n" for n in range(ITEMS)), encoding="utf-8"
    )
    options = ("--cold-fraction", "0.5", "--k", "6", "--json", str(json_path), "--triples", str(triples))
    table = run_cold_start(*files, *options)
    metrics = json.loads(json_path.read_text())
    assert set(metrics["results"]) == {
        "content",
        "triple_similarity",
        "blend",
        RANDOM_BASELINE,
        CATEGORY_BASELINE,
    }
    assert "12 items hidden" in table
    assert "top categories at random" in table


def test_invalid_files_are_refused_with_a_sentence(files: tuple[Path, Path], tmp_path: Path) -> None:
    data, items = files
    without_columns = tmp_path / "without.csv"
    without_columns.write_text("item_id,title\n1,x\n", encoding="utf-8")
    with pytest.raises(DataError, match="lacks the column categories"):
        run_cold_start(data, without_columns)
    with pytest.raises(DataError, match="lacks the column head"):
        run_cold_start(data, items, "--triples", str(without_columns))


def test_items_are_required(files: tuple[Path, Path]) -> None:
    with pytest.raises(DataError, match="needs --items"):
        run_benchmark(["cold-start", "--data", str(files[0])], out=io.StringIO(), progress=io.StringIO())


def test_a_split_without_cases_is_refused() -> None:
    with pytest.raises(DataError, match="No user's last event"):
        split_cold_items(
            Dataset.from_sequences([[0, 1]], n_items=5),
            0.2,
            np.random.default_rng(0),
            eligible_items=np.array([4]),
        )


def test_items_without_content_are_refused(board: Dataset) -> None:
    bare = replace(make_checkerboard(), image_embeddings=None, triple_tokens=None, content=None)
    with pytest.raises(DataError, match="No item has content"):
        evaluate_cold_start(bare, CATEGORIES, cold_fraction=0.5, k=5, rng=np.random.default_rng(0), log=print)
