"""Serving modules must not import torch, which costs seconds and hundreds of MiB in every web process."""

from __future__ import annotations

import subprocess
import sys

import pytest

SERVING_MODULES = (
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


@pytest.mark.parametrize("module", SERVING_MODULES)
def test_serving_imports_load_no_training_library(module: str) -> None:
    code = f"import sys, {module}; print(sorted({{'torch', 'sklearn', 'onnx', 'implicit', 'optuna'}} & set(sys.modules)))"
    completed = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert completed.stdout.strip() == "[]"
