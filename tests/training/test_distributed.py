"""Which trainings run on the cluster."""

from __future__ import annotations

import sys
from typing import Any

import pytest

from recommender.dataset import Dataset
from recommender.training.distributed import select_distributed_backend

DATA = Dataset.from_sequences([[0, 1, 2], [1, 2]])


def test_without_a_cluster_training_is_local() -> None:
    assert select_distributed_backend(DATA) is None


def test_a_small_tenant_is_trained_locally(settings: Any) -> None:
    settings.LEPTON_RAY_ADDRESS, settings.LEPTON_RAY_MIN_EVENTS = "head:6379", 6
    assert select_distributed_backend(DATA) is None


def test_a_tenant_at_the_threshold_is_trained_on_the_cluster(settings: Any) -> None:
    pytest.importorskip("ray", reason="the extra `ray` is not installed; `make test-ray` installs it")
    settings.LEPTON_RAY_ADDRESS, settings.LEPTON_RAY_MIN_EVENTS = "head:6379", 5
    settings.LEPTON_RAY_WORKERS = 3
    backend: Any = select_distributed_backend(DATA)
    assert (backend.address, backend.n_workers) == ("head:6379", 3)


def test_without_ray_installed_training_is_local(settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    settings.LEPTON_RAY_ADDRESS, settings.LEPTON_RAY_MIN_EVENTS = "head:6379", 0
    monkeypatch.setitem(sys.modules, "recommender.algorithms.sequential.distributed.ray_backend", None)
    assert select_distributed_backend(DATA) is None
