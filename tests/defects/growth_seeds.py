"""Defects of tuning, compression, refreshes and training on several machines."""

from __future__ import annotations

from tests.defects.seeds import Seed

_TUNING = "tests/recommender/tuning/test_tuner.py"
_COMPRESSION = "tests/recommender/fitting/test_quantization.py"

GROWTH_SEEDS = (
    Seed(
        "a loss of quality is no reason to serve a member as trained",
        "recommender/fitting/quantization.py",
        "while selected and ndcg_after < ndcg_before * (1 - max_relative_loss):",
        "while selected and ndcg_after < 0:",
        _COMPRESSION,
    ),
    Seed(
        "the greatest value of a row is not its own",
        "recommender/onnx/int8.py",
        "scales = compute_scales(np.abs(values).max(axis=1, initial=0))",
        "scales = compute_scales(np.full(len(values), np.abs(values).max(initial=0)))",
        _COMPRESSION,
    ),
    Seed(
        "shared memory is counted twice",
        "recommender/algorithms/common/memory_usage.py",
        "while isinstance(array.base, np.ndarray):",
        "while False:",
        _COMPRESSION,
    ),
    Seed(
        "what is published is not the smaller form",
        "recommender/training/packaging.py",
        "        ensemble = quantize_ensemble(candidate.ensemble)\n",
        "        ensemble = candidate.ensemble\n",
        "tests/training/test_training.py",
    ),
    Seed(
        "held-out events need not agree",
        "recommender/tuning/model_search.py",
        'if (best["held_out_ndcg"] or 0.0) > (default["held_out_ndcg"] or 0.0):',
        "if True:",
        _TUNING,
    ),
    Seed(
        "a worse blend is kept",
        "recommender/tuning/tuner.py",
        'if blend_ndcg and blend_ndcg["tuned"] < blend_ndcg["defaults"]:',
        "if blend_ndcg is None:",
        _TUNING,
    ),
    Seed(
        "a search ends late",
        "recommender/tuning/model_search.py",
        "return time.perf_counter() + self.max_trial_seconds > deadline",
        "return deadline < 0",
        _TUNING,
    ),
    Seed(
        "figures on other events are taken over",
        "recommender/tuning/search_log.py",
        "if self.data_description != data_description:",
        "if not self.data_description:",
        _TUNING,
    ),
    Seed(
        "a search starts again from nothing",
        "recommender/tuning/model_search.py",
        "for _ in range(len(stage_trials), max_trials):",
        "for _ in range(max_trials):",
        _TUNING,
    ),
    Seed(
        "a setting beyond its range is taken",
        "recommender/algorithms/common/search_space.py",
        "if name in ranges and ranges[name].contains(value):",
        "if name in ranges:",
        _TUNING,
    ),
    Seed(
        "a plan does not bound a search",
        "lepton_platform/tasks/tuning_limits.py",
        "min(seconds, max_seconds)",
        "seconds",
        "tests/training/test_tuning_job.py",
    ),
    Seed(
        "what was tuned is forgotten by the next training",
        "recommender/training/pipeline.py",
        "        return _TunedSettings(previous_settings)",
        "        return _TunedSettings({})",
        "tests/training/test_tuning_job.py",
    ),
    Seed(
        "an attempt's trials die with it",
        "recommender/training/job_parameters.py",
        "checkpoint=checkpoint if isinstance(checkpoint, dict) else {},",
        "checkpoint={},",
        "tests/training/test_tuning_job.py",
    ),
    Seed(
        "a network goes on with the items of yesterday",
        "recommender/algorithms/sequential/stored_weights.py",
        "embeddings[:-1][is_trained] = previous_embeddings[previous_index[is_trained]]",
        "embeddings[:-1][is_trained] = previous_embeddings[: is_trained.sum()]",
        "tests/recommender/fitting/test_warm_start.py",
    ),
    Seed(
        "a refresh is judged by what the live model knew",
        "recommender/training/refresh.py",
        "fraction = float(is_new.mean()) / 2",
        "fraction = 0.5",
        "tests/training/test_refresh.py",
    ),
    Seed(
        "everything is learned afresh for ever less",
        "recommender/training/refresh_schedule.py",
        "return age < MAX_FULL_TRAINING_AGE and",
        "return",
        "tests/training/test_refresh.py",
    ),
    Seed(
        "a full training never comes again",
        "recommender/training/refresh_schedule.py",
        "n_new_events < MAX_FULL_TRAINING_GROWTH * n_events",
        "n_events >= 0",
        "tests/training/test_refresh.py",
    ),
    Seed(
        "each machine goes its own way",
        "recommender/algorithms/sequential/gradient_sync.py",
        "        distributed.all_reduce(message)\n",
        "",
        "tests/recommender/algorithms/test_ray_backend.py",
    ),
    Seed(
        "a small tenant leaves the machine",
        "recommender/training/distributed.py",
        "or dataset.n_events < settings.LEPTON_RAY_MIN_EVENTS",
        "or dataset.n_events < 0",
        "tests/training/test_distributed.py",
    ),
    Seed(
        "measuring takes memory with the catalogue",
        "recommender/evaluation/evaluator.py",
        "min(MAX_BATCH_SIZE, MAX_SCORE_CELLS // max(items, 1))",
        "min(MAX_BATCH_SIZE, MAX_SCORE_CELLS)",
        "tests/recommender/benchmarks/test_scaling.py",
    ),
)
