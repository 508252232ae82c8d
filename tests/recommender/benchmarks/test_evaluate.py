"""The evaluate command from files to table and JSON."""

from __future__ import annotations

import argparse
import io
import json
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from recommender.algorithms.ensemble.registry import MODEL_REGISTRY, RELATIVE_COST
from recommender.benchmarks.cli import add_evaluation_arguments, run_evaluation
from recommender.benchmarks.evaluation_report import evaluate_dataset
from recommender.dataset import Dataset
from recommender.dataset.interaction_files import read_interactions
from recommender.fitting.training_profiles import (
    OPTIONAL_MODELS,
    PROFILE_MODELS,
    build_model_factories,
)
from recommender.types import DataError, ignore_progress


@pytest.fixture(scope="module")
def data(board: Dataset, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("data") / "sequences.txt"
    lines = [
        f"u{user} " + " ".join(map(str, board.histories.slice_row(user))) for user in range(board.n_users)
    ]
    path.write_text("\n".join(lines), encoding="utf-8")
    return path


def options(*arguments: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    add_evaluation_arguments(parser)
    return parser.parse_args(arguments)


def test_it_prints_a_row_for_each_member_and_writes_the_figures(data: Path, tmp_path: Path) -> None:
    out, progress, figures = io.StringIO(), io.StringIO(), tmp_path / "out.json"
    run_evaluation(
        options("--data", str(data), "--profile", "fast", "--k", "5", "--json", str(figures)),
        out=out,
        progress=progress,
    )
    report = json.loads(figures.read_text())
    assert {"blend", "members", "seconds", "peak_rss_mib"} <= set(report)
    assert {"ndcg@5", "recall@5", "coverage@5"} <= set(report["blend"]["test"])
    assert set(report["members"]["ease"]) == {"test", "validation", "seconds"}
    assert report["blend"]["test"]["ndcg@5"] > 2 * report["members"]["popularity"]["test"]["ndcg@5"]
    rows = [*report["members"], "blend"]
    assert [line.split()[0] for line in out.getvalue().splitlines()[1:][: len(rows)]] == rows
    assert "content left out: no item has a text" in out.getvalue()
    assert "100%" in progress.getvalue()


def test_the_command_needs_no_database(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    call_command("evaluate", data=data, profile="fast", stdout=(out := io.StringIO()))
    assert "blend" in out.getvalue()
    assert "100%" in capsys.readouterr().err


def test_a_missing_file_is_one_sentence() -> None:
    with pytest.raises(CommandError, match=r"gone\.txt cannot be read"):
        call_command("evaluate", data=Path("gone.txt"))


def test_a_folder_that_does_not_exist_is_refused_before_the_work(data: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no folder"):
        run_evaluation(
            options("--data", str(data), "--json", str(tmp_path / "none" / "out.json")),
            out=io.StringIO(),
            progress=io.StringIO(),
        )


def test_figures_by_time_are_means_of_users(tmp_path: Path) -> None:
    """Three choose the favourite next; one, seven things that nobody knew."""
    known = [(user, "favourite") for user in "defghx"] + [("a", "p"), ("b", "q"), ("c", "r")]
    before = [*known, *[(f"quiet{number}", "favourite") for number in range(90 - len(known))]]
    after = [(user, "favourite") for user in "abc"] + [("x", f"new{number}") for number in range(7)]
    rows = [f"{user},{item},{minute}" for minute, (user, item) in enumerate(before + after)]
    (tmp_path / "events.csv").write_text("\n".join(["user_id,item_id,timestamp", *rows]), encoding="utf-8")
    data = read_interactions(tmp_path / "events.csv")
    report = evaluate_dataset(data, protocol="time-split", model_names=("popularity",), k=1)
    assert report.models["popularity"]["test"]["recall@1"] == pytest.approx(3 / 4)
    assert report.models["popularity"]["test"]["cases"] == 10


def test_data_without_a_second_event_has_nothing_to_test(tmp_path: Path) -> None:
    lonely = tmp_path / "lonely.txt"
    lonely.write_text("u1 a\nu2 b\n", encoding="utf-8")
    with pytest.raises(DataError, match="nothing to test"):
        run_evaluation(options("--data", str(lonely)), out=io.StringIO(), progress=io.StringIO())


def test_a_time_split_of_data_without_times_is_refused(data: Path) -> None:
    with pytest.raises(DataError, match="timestamp"):
        run_evaluation(
            options("--data", str(data), "--protocol", "time-split"),
            out=io.StringIO(),
            progress=io.StringIO(),
        )


def test_a_list_of_no_items_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        options("--data", "x", "--k", "0")
    assert "must be at least 1" in capsys.readouterr().err


def test_data_is_cleaned_only_when_asked(tmp_path: Path) -> None:
    lines = [f"u{user} " + " ".join(str((user + n // 2) % 9) for n in range(8)) for user in range(40)]
    repeats = tmp_path / "repeats.txt"
    repeats.write_text("\n".join(lines), encoding="utf-8")
    said = {}
    for wish in ((), ("--clean",)):
        figures = tmp_path / "out.json"
        arguments = options("--data", str(repeats), "--profile", "fast", "--json", str(figures), *wish)
        run_evaluation(arguments, out=(out := io.StringIO()), progress=io.StringIO())
        said[wish] = (json.loads(figures.read_text()), out.getvalue())
    assert "cleaning" not in said[()][0]
    assert "320 events" in said[()][0]["data"]
    assert "160 events" in said["--clean",][0]["data"]
    assert said["--clean",][0]["cleaning"]["rules"]["immediate repetition"] == {"events": 160, "users": 40}
    assert "cleaned out, in events: immediate repetition 160" in said["--clean",][1]


def test_members_are_chosen_by_name(data: Path, tmp_path: Path) -> None:
    figures = tmp_path / "out.json"
    run_evaluation(
        options(
            "--data", str(data), "--members", "popularity,item_neighbours, factors", "--json", str(figures)
        ),
        out=(out := io.StringIO()),
        progress=io.StringIO(),
    )
    report = json.loads(figures.read_text())
    assert list(report["members"]) == ["popularity", "item_neighbours", "factors"]
    assert set(report["weights"]) == {"popularity", "item_neighbours", "factors"}
    assert "item_neighbours" in out.getvalue()


def test_a_member_that_does_not_exist_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        options("--data", "x", "--members", "ease,oracle")
    assert "there is no member 'oracle'" in capsys.readouterr().err


def test_without_names_the_members_are_those_of_the_profile() -> None:
    assert (
        tuple(build_model_factories("fast", ignore_progress, options("--data", "x").members))
        == PROFILE_MODELS["fast"]
    )


def test_members_by_name_are_checked_for_callers_of_the_function_too() -> None:
    with pytest.raises(DataError, match="no member 'oracle'"):
        build_model_factories("full", ignore_progress, ["oracle"])


def test_every_member_that_can_be_asked_for_can_be_served() -> None:
    assert (
        set(build_model_factories("full", ignore_progress, [*PROFILE_MODELS["full"], *OPTIONAL_MODELS]))
        == set(RELATIVE_COST)
        == set(MODEL_REGISTRY)
    )
