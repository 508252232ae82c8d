"""`evaluate`: from files to a table and JSON."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from pathlib import Path

import pytest

from recommender.algorithms.ensemble.registry import MODEL_REGISTRY, RELATIVE_COST
from recommender.benchmarks.__main__ import SUBCOMMANDS, build_parser, run_benchmark
from recommender.benchmarks.evaluation_report import evaluate_dataset
from recommender.dataset import Dataset
from recommender.dataset.interaction_files import read_interactions
from recommender.fitting.fit_options import FitOptions
from recommender.fitting.training_profiles import OPTIONAL_MODELS, PROFILE_MODELS, build_model_specs
from recommender.types import DataError, ignore_progress
from tests.conftest import ROOT


@pytest.fixture(scope="module")
def data(board: Dataset, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("data") / "sequences.txt"
    lines = [
        f"u{user} " + " ".join(map(str, board.histories.slice_row(user))) for user in range(board.n_users)
    ]
    path.write_text("\n".join(lines), encoding="utf-8")
    return path


def run_evaluate(*options: object, progress: io.StringIO | None = None) -> str:
    out = io.StringIO()
    run_benchmark(["evaluate", *map(str, options)], out=out, progress=progress or io.StringIO())
    return out.getvalue()


def test_the_table_has_a_row_for_each_model_and_the_metrics_are_written(data: Path, tmp_path: Path) -> None:
    progress, json_path = io.StringIO(), tmp_path / "out.json"
    table = run_evaluate(
        "--data", data, "--profile", "fast", "--k", 5, "--json", json_path, progress=progress
    )
    report = json.loads(json_path.read_text())
    assert {"blend", "models", "quantized", "seconds", "peak_rss_mib"} <= set(report)
    assert {"ndcg@5", "recall@5", "coverage@5"} <= set(report["blend"]["test"])
    assert set(report["models"]["ease"]) == {"test", "validation", "seconds"}
    assert report["blend"]["test"]["ndcg@5"] > 2 * report["models"]["popularity"]["test"]["ndcg@5"]
    rows = [*report["models"], "blend"]
    assert [line.split()[0] for line in table.splitlines()[1:][: len(rows)]] == rows
    assert "content skipped: no item has a text" in table
    assert "100%" in progress.getvalue()


def test_the_command_needs_neither_django_nor_a_database(data: Path) -> None:
    code = [sys.executable, "-m", "recommender.benchmarks", "evaluate", "--data", str(data)]
    options = ["--models", "popularity"]
    completed = subprocess.run([*code, *options], cwd=ROOT, capture_output=True, text=True, check=True)
    assert "blend" in completed.stdout
    assert "100%" in completed.stderr


@pytest.mark.parametrize("command", list(SUBCOMMANDS))
def test_each_command_explains_its_options(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as exit_info:
        run_benchmark([command, "--help"], out=io.StringIO(), progress=io.StringIO())
    assert exit_info.value.code == 0
    assert command in capsys.readouterr().out


def test_an_error_in_the_data_is_one_line_and_exit_status_one() -> None:
    code = [sys.executable, "-m", "recommender.benchmarks", "evaluate", "--data", "gone.txt"]
    completed = subprocess.run(code, cwd=ROOT, capture_output=True, text=True, check=False)
    assert completed.returncode == 1
    assert completed.stderr.startswith("gone.txt cannot be read")
    assert len(completed.stderr.splitlines()) == 1


def test_a_folder_that_does_not_exist_is_refused_before_the_work(data: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no folder"):
        run_evaluate("--data", data, "--json", tmp_path / "none" / "out.json")


def test_metrics_of_a_time_split_are_means_of_users(tmp_path: Path) -> None:
    """Three users choose the favourite next; one chooses seven new items."""
    buyers = [(user, "favourite") for user in "defghx"] + [("a", "p"), ("b", "q"), ("c", "r")]
    before = [*buyers, *[(f"quiet{number}", "favourite") for number in range(90 - len(buyers))]]
    after = [(user, "favourite") for user in "abc"] + [("x", f"new{number}") for number in range(7)]
    rows = [f"{user},{item},{minute}" for minute, (user, item) in enumerate(before + after)]
    (tmp_path / "events.csv").write_text("\n".join(["user_id,item_id,timestamp", *rows]), encoding="utf-8")
    data = read_interactions(tmp_path / "events.csv")
    options = FitOptions(protocol="time-split", model_names=("popularity",), k=1)
    report = evaluate_dataset(data, options)
    assert report.models["popularity"]["test"]["recall@1"] == pytest.approx(3 / 4)
    assert report.models["popularity"]["test"]["cases"] == 10


def test_data_without_a_second_event_has_nothing_to_test(tmp_path: Path) -> None:
    single_events = tmp_path / "lonely.txt"
    single_events.write_text("u1 a\nu2 b\n", encoding="utf-8")
    with pytest.raises(DataError, match="nothing to test"):
        run_evaluate("--data", single_events)


def test_a_time_split_of_data_without_times_is_refused(data: Path) -> None:
    with pytest.raises(DataError, match="timestamp"):
        run_evaluate("--data", data, "--protocol", "time-split")


def test_a_list_of_no_items_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        run_evaluate("--data", "x", "--k", "0")
    assert "must be at least 1" in capsys.readouterr().err


def test_data_is_cleaned_only_on_request(tmp_path: Path) -> None:
    lines = [f"u{user} " + " ".join(str((user + n // 2) % 9) for n in range(8)) for user in range(40)]
    repeats = tmp_path / "repeats.txt"
    repeats.write_text("\n".join(lines), encoding="utf-8")
    metrics, tables = {}, {}
    for flags in ((), ("--clean",)):
        json_path = tmp_path / "out.json"
        tables[flags] = run_evaluate("--data", repeats, "--profile", "fast", "--json", json_path, *flags)
        metrics[flags] = json.loads(json_path.read_text())
    assert "cleaning" not in metrics[()]
    assert "320 events" in metrics[()]["data"]
    assert "160 events" in metrics["--clean",]["data"]
    assert metrics["--clean",]["cleaning"]["rules"]["immediate repetition"] == {"events": 160, "users": 40}
    assert "removed events: immediate repetition 160" in tables["--clean",]


def test_models_are_chosen_by_name(data: Path, tmp_path: Path) -> None:
    json_path = tmp_path / "out.json"
    table = run_evaluate(
        "--data", data, "--models", "popularity,item_neighbours, factors", "--json", json_path
    )
    report = json.loads(json_path.read_text())
    assert list(report["models"]) == ["popularity", "item_neighbours", "factors"]
    assert set(report["weights"]) == {"popularity", "item_neighbours", "factors"}
    assert "item_neighbours" in table


def test_an_unknown_model_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        run_evaluate("--data", "x", "--models", "ease,oracle")
    assert "there is no model 'oracle'" in capsys.readouterr().err


def test_without_names_the_models_are_those_of_the_profile() -> None:
    options = build_parser("evaluate").parse_args(["evaluate", "--data", "x"])
    specs = build_model_specs("fast", ignore_progress, options.models)
    assert tuple(specs) == PROFILE_MODELS["fast"]


def test_unknown_names_are_refused_for_callers_of_the_function_too() -> None:
    with pytest.raises(DataError, match="no model 'oracle'"):
        build_model_specs("full", ignore_progress, ["oracle"])


def test_every_model_that_can_be_fitted_can_be_served() -> None:
    names = [*PROFILE_MODELS["full"], *OPTIONAL_MODELS]
    assert set(build_model_specs("full", ignore_progress, names)) == set(RELATIVE_COST) == set(MODEL_REGISTRY)
