"""Serving imports must not bring torch in: it costs seconds and hundreds of MiB in every web process."""

from __future__ import annotations

import subprocess
import sys

import pytest

SERVED = (
    "recommender.types",
    "recommender.dataset",
    "recommender.features.tfidf",
    "recommender.algorithms.base",
    "recommender.algorithms.ensemble.ensemble",
    "recommender.evaluation",
    "recommender.evaluation.metrics",
    "recommender.language",
    "recommender.language.reviews.summary",
    "recommender.language.reviews.analyzer",
)


@pytest.mark.parametrize("module", SERVED)
def test_importing_it_loads_nothing_that_only_trains(module: str) -> None:
    code = f"import sys, {module}; print(sorted({{'torch', 'sklearn', 'onnx', 'implicit', 'optuna'}} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
