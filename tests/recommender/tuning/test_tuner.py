"""The hyper-parameter search stays within its budget and never returns settings worse than the defaults."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import optuna
import pytest
from django.core.management import CommandError, call_command

from recommender.algorithms.common.search_space import filter_valid_overrides, get_search_spaces
from recommender.algorithms.ensemble.registry import MODEL_REGISTRY
from recommender.algorithms.popularity.recent_popularity import RecentPopularity, RecentPopularityConfig
from recommender.benchmarks.__main__ import run_benchmark
from recommender.dataset import Dataset, Split
from recommender.dataset.splits import time_split
from recommender.fitting.training_profiles import ModelSpec, build_model_specs
from recommender.tuning.model_search import ModelSearch, evaluate_ndcg
from recommender.tuning.search_log import SearchLog
from recommender.tuning.tuner import TuningBudget, TuningOptions, TuningResult, _TuningRun, tune_models
from recommender.types import DataError, TrainingCancelled, ignore_progress

DAY = 86_400_000
MODELS = ("popularity", "recent_popularity")
AMPLE = TuningBudget(seconds=60, trials=12)


def make_fashion_events(n_users: int = 400) -> Dataset:
    """Makes forty days of events. Every ten days users choose among twelve other items."""
    rng = np.random.default_rng(3)
    users, items, timestamps = [], [], []
    for user_index in range(n_users):
        for day in sorted(rng.choice(40, 5, replace=False).tolist()):
            users.append(f"u{user_index}")
            items.append(f"i{12 * (day // 10) + int(rng.integers(12))}")
            timestamps.append(day * DAY + user_index)
    return Dataset.from_events(users, items, timestamp=np.array(timestamps, np.int64))


@pytest.fixture(scope="module")
def split() -> Split:
    return time_split(make_fashion_events())


def tune(
    split: Split,
    budget: TuningBudget = AMPLE,
    *,
    previous: Mapping[str, Mapping[str, Any]] | None = None,
    **arguments: Any,
) -> TuningResult:
    options = TuningOptions(budget, profile="fast", model_names=MODELS, previous=previous or {})
    return tune_models(split, options, **arguments)


@pytest.fixture(scope="module")
def result(split: Split) -> TuningResult:
    return tune(split)


def test_the_tuned_half_life_follows_short_fashions(result: TuningResult) -> None:
    assert result.overrides["recent_popularity"]["half_life_days"] < 8
    ndcg = result.report["models"]["recent_popularity"]["held_out_ndcg"]
    assert ndcg["best"] > 1.1 * ndcg["defaults"]
    assert result.report["blend"]["tuned"] > result.report["blend"]["defaults"]


def test_a_model_without_a_search_space_is_not_tuned(result: TuningResult) -> None:
    assert set(result.report["models"]) == {"recent_popularity"}


def test_the_same_seed_finds_the_same_settings(split: Split, result: TuningResult) -> None:
    assert tune(split).overrides == result.overrides


def test_the_defaults_are_the_first_trial(split: Split) -> None:
    log = SearchLog()
    tune(split, log=log)
    first_trial = log.trials_by_model["recent_popularity"][0]
    assert (first_trial["stage"], first_trial["overrides"]) == ("defaults", {})


def test_previous_settings_are_tried_before_sampled_ones(split: Split) -> None:
    log = SearchLog()
    tune(split, previous={"recent_popularity": {"half_life_days": 2.5, "gone": 1}}, log=log)
    assert log.trials_by_model["recent_popularity"][1]["overrides"] == {"half_life_days": 2.5}


def make_search(split: Split, *trials: Any) -> ModelSearch:
    spec = ModelSpec(RecentPopularity, RecentPopularityConfig())
    return ModelSearch(spec, split, split, 10, 0, list(trials), lambda: None)


def make_trial(ndcg: float, held_out_ndcg: float | None, **overrides: float) -> Any:
    return {
        "stage": "training",
        "overrides": overrides,
        "ndcg": ndcg,
        "held_out_ndcg": held_out_ndcg,
        "pruned": False,
    }


def test_settings_that_held_out_events_do_not_confirm_are_rejected(split: Split) -> None:
    search = make_search(split, make_trial(0.1, 0.10), make_trial(0.3, 0.09, half_life_days=1.0))
    assert search.find_best_trial()["overrides"] == {"half_life_days": 1.0}
    assert search.select_trial()["overrides"] == {}


def test_a_blend_that_is_worse_keeps_the_defaults(split: Split, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_TuningRun, "compare_blends", lambda *_: {"defaults": 0.2, "tuned": 0.1})
    assert tune(split).overrides == {}


def test_an_interrupted_search_resumes_from_its_checkpoint(split: Split) -> None:
    states: list[dict[str, Any]] = []

    def save_state(state: Mapping[str, Any]) -> None:
        states.append(json.loads(json.dumps(state)))
        if len(states) == 5:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        tune(split, log=SearchLog(on_trial=save_state))
    log = SearchLog.from_checkpoint(states[-1], lambda _: None)
    result = tune(split, log=log)
    saved = states[-1]["models"]["recent_popularity"]
    assert log.trials_by_model["recent_popularity"][: len(saved)] == saved
    assert result.report["models"]["recent_popularity"]["trials"] == 13
    overrides = [json.dumps(trial["overrides"]) for trial in log.trials_by_model["recent_popularity"]]
    assert len(set(overrides)) == len(overrides)


def test_trials_on_other_events_are_not_reused(split: Split) -> None:
    log = SearchLog(
        data_description="other events",
        spent_seconds=1e9,
        trials_by_model={"recent_popularity": [make_trial(9.9, 9.9)]},
    )
    assert tune(split, log=log).report["models"]["recent_popularity"]["ndcg"]["best"] < 1


def test_a_spent_budget_keeps_the_defaults(split: Split) -> None:
    log = SearchLog()
    result = tune(split, TuningBudget(seconds=1e-6, trials=50), log=log)
    assert result.overrides == {}
    assert len(log.trials_by_model.get("recent_popularity", [])) <= 1


def test_no_trial_is_drawn_after_the_deadline(split: Split) -> None:
    search = make_search(split)
    search.run_search({"half_life_days": 2.5}, max_trials=50, deadline=0.0)
    assert [trial["stage"] for trial in search.trials] == ["defaults"]


def test_a_model_that_was_not_searched_keeps_its_previous_settings(split: Split) -> None:
    previous = {"recent_popularity": {"half_life_days": 2.5}}
    assert tune(split, TuningBudget(seconds=1e-9, trials=50), previous=previous).overrides == previous


def test_the_caller_can_stop_a_search(split: Split) -> None:
    def stop(_phase: str, fraction: float) -> None:
        raise TrainingCancelled

    with pytest.raises(TrainingCancelled):
        tune(split, report=stop)


def test_a_budget_of_zero_is_refused() -> None:
    with pytest.raises(DataError, match="more than zero seconds"):
        TuningBudget(0, 5)


def test_a_trial_that_falls_behind_is_pruned(split: Split, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("recommender.tuning.model_search.BATCH_SIZE", 20)
    study = optuna.create_study(direction="maximize", pruner=optuna.pruners.MedianPruner(1, 0))
    good_trial = study.ask()
    for step in range(50):
        good_trial.report(1.0, step)
    study.tell(good_trial, 1.0)
    model = RecentPopularity()
    model.fit(split.train, np.random.default_rng(0))
    with pytest.raises(optuna.TrialPruned):
        evaluate_ndcg(model, split, 10, study.ask())


@pytest.mark.parametrize("name", list(MODEL_REGISTRY))
def test_the_defaults_lie_within_their_ranges(name: str) -> None:
    config = build_model_specs("full", ignore_progress, [name])[name].config
    inference_space, training_space = get_search_spaces(type(config))
    for setting, parameter_range in {**inference_space, **training_space}.items():
        assert parameter_range.contains(getattr(config, setting)), setting


def test_invalid_settings_are_ignored() -> None:
    overrides = {"half_life_days": 4.0, "gone": 1, "other": "x"}
    assert filter_valid_overrides(RecentPopularityConfig, overrides) == {"half_life_days": 4.0}
    assert filter_valid_overrides(RecentPopularityConfig, {"half_life_days": -1.0}) == {}
    assert filter_valid_overrides(RecentPopularityConfig, {"half_life_days": "4"}) == {}


def test_a_tuned_setting_reaches_the_model() -> None:
    overrides = {"ease": {"regularisation": 12.5}}
    spec = build_model_specs("fast", ignore_progress, ["ease"], overrides=overrides)["ease"]
    assert spec.build().config.regularisation == 12.5


@pytest.fixture
def data(tmp_path: Path) -> Path:
    path = tmp_path / "walks.txt"
    rows = [f"u{n} " + " ".join(f"i{(7 * n + step) % 40}" for step in range(8)) for n in range(120)]
    path.write_text("\n".join(rows), encoding="utf-8")
    return path


def test_the_command_writes_settings_that_evaluate_reads(data: Path, tmp_path: Path) -> None:
    settings, log, out = tmp_path / "settings.json", tmp_path / "log.json", io.StringIO()
    options = ["--models", "transitions", "--profile", "fast", "--seconds", "20", "--trials", "2"]
    files = ["--data", str(data), "--json", str(settings), "--log", str(log)]
    run_benchmark(["tune", *files, *options], out=out, progress=io.StringIO())
    assert set(json.loads(settings.read_text())) == {"overrides", "report"}
    assert out.getvalue().splitlines()[1].startswith("transitions")
    assert json.loads(log.read_text())["models"]["transitions"][0]["stage"] == "defaults"
    settings.write_text('{"overrides": {"transitions": {"window": 1}}}')
    options = ["--models", "popularity,transitions", "--profile", "fast", "--tuned", str(settings)]
    run_benchmark(
        ["evaluate", "--data", str(data), *options], out=(table := io.StringIO()), progress=io.StringIO()
    )
    assert "transitions" in table.getvalue()


@pytest.mark.parametrize("content", ["", "[]", '{"overrides": 5}', '{"overrides": {"ease": 3}}'])
def test_a_file_without_settings_is_refused_in_one_sentence(data: Path, tmp_path: Path, content: str) -> None:
    path = tmp_path / "settings.json"
    path.write_text(content)
    arguments = ["evaluate", "--data", str(data), "--tuned", str(path)]
    with pytest.raises(DataError, match=r"settings\.json does not hold settings"):
        run_benchmark(arguments, out=io.StringIO(), progress=io.StringIO())


def test_the_management_command_needs_a_tenant() -> None:
    with pytest.raises(CommandError, match="--tenant"):
        call_command("tune")
