"""Models that are fitted only when they are named."""

from __future__ import annotations

import pytest

from recommender.algorithms.ensemble.registry import MODEL_REGISTRY
from recommender.fitting.training_profiles import OPTIONAL_MODELS, TrainingProfileName, build_model_specs
from recommender.types import ignore_progress


@pytest.mark.parametrize("name", list(OPTIONAL_MODELS))
def test_an_optional_model_is_fitted_under_the_name_it_is_served_by(name: str) -> None:
    model = build_model_specs("full", ignore_progress, [name])[name].build()
    assert model.name == name
    assert MODEL_REGISTRY[name].config_type is model.config_type


@pytest.mark.parametrize("profile", ["fast", "full"])
def test_no_profile_fits_an_optional_model(profile: TrainingProfileName) -> None:
    assert not set(build_model_specs(profile, ignore_progress)) & set(OPTIONAL_MODELS)
