"""Training profiles, and the models that a training fits: which ones, in which order, with which configuration."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Literal

from recommender.algorithms.base import ContentKind, Recommender
from recommender.algorithms.common.search_space import filter_valid_overrides
from recommender.algorithms.content.feature_interactions_training import FeatureInteractionTrainer
from recommender.algorithms.ensemble.registry import MODEL_CLASSES, ORDER_SENSITIVE, RELATIVE_COST
from recommender.algorithms.factorization.als_training import ImplicitALSTrainer
from recommender.algorithms.sequential.gradient_sync import DistributedBackend
from recommender.algorithms.sequential.gru4rec_training import GRU4RecTrainer
from recommender.algorithms.sequential.nextitnet_training import NextItNetTrainer
from recommender.algorithms.sequential.sasrec import SASRecConfig
from recommender.algorithms.sequential.sasrec_training import SASRecTrainer
from recommender.dataset import Dataset
from recommender.types import DataError, ProgressCallback

TrainingProfileName = Literal["fast", "full"]
ParameterOverrides = Mapping[str, Mapping[str, Any]]
"""By model name, hyper-parameters that differ from the defaults."""
NO_OVERRIDES: ParameterOverrides = {}


@dataclass(frozen=True)
class TrainingProfile:
    """How much work a training may take.

    sequence: configuration of SASRec.
    max_cases: validation cases that blend weights and reranker are fitted on.
    """

    sequence: SASRecConfig
    max_cases: int


TRAINING_PROFILES: Mapping[TrainingProfileName, TrainingProfile] = {
    "full": TrainingProfile(SASRecConfig(), max_cases=30_000),
    "fast": TrainingProfile(
        SASRecConfig(
            learning_rate=3e-3,
            epochs=20,
            finetune_epochs=1,
            max_training_positions=1_000_000,
        ),
        max_cases=4_000,
    ),
}

# Models that improve the blend on public data sets; the others are fitted where they are named.
FAST_MODELS = ("popularity", "transitions", "item_neighbours", "content", "factors", "ease", "sequence")
PROFILE_MODELS: Mapping[TrainingProfileName, tuple[str, ...]] = {
    "full": (*FAST_MODELS, "recurrent", "convolutional"),
    "fast": FAST_MODELS,
}
OPTIONAL_MODELS = tuple(name for name in RELATIVE_COST if name not in PROFILE_MODELS["full"])

_NO_DECAY = {"decay": 1.0, "history": 500}
# For data without an order of events: all events of a history count alike. ALS adds up their confidence, so that a whole
# history without decay gets a lower confidence per event.
UNORDERED_OVERRIDES: ParameterOverrides = {
    "item_neighbours": _NO_DECAY,
    "content": _NO_DECAY,
    "ease": _NO_DECAY,
    "factors": {**_NO_DECAY, "confidence": 5.0},
}


@dataclass(frozen=True)
class ModelSpec:
    """A model that is not built yet: a constructor that takes a configuration, and the configuration."""

    construct: Callable[[Any], Recommender[Any]]
    config: Any

    def build(self) -> Recommender[Any]:
        """A new model, not fitted."""
        return self.construct(self.config)

    def replace_config(self, values: Mapping[str, Any]) -> ModelSpec:
        """The same model with some fields of its configuration replaced."""
        return replace(self, config=replace(self.config, **values))

    def with_overrides(self, overrides: Mapping[str, Any]) -> ModelSpec:
        """As `replace_config`, without hyper-parameters that this version does not have or that are out of range."""
        return self.replace_config(filter_valid_overrides(type(self.config), overrides))


ModelSpecs = dict[str, ModelSpec]


def select_models_for_data(dataset: Dataset) -> tuple[str, ...]:
    """Names of the models that belong to every profile because the data has all side data that they read.

    Models that read texts are listed in the profiles instead.
    """
    available: set[ContentKind] = set()
    if dataset.image_embeddings is not None:
        available.add("image")
    if dataset.triple_tokens and any(dataset.triple_tokens):
        available.add("triples")
    if dataset.review_features is not None:
        available.add("reviews")
    return tuple(cls.name for cls in MODEL_CLASSES if cls.reads_content and cls.reads_content <= available)


def select_default_models(profile: TrainingProfileName, dataset: Dataset) -> tuple[str, ...]:
    """Names of the profile's models and of those for the side data; without order-sensitive ones for unordered data."""
    profile_models = _list_profile_models(profile, ordered=dataset.is_ordered)
    side_data_models = select_models_for_data(dataset)
    if not dataset.is_ordered:
        side_data_models = tuple(name for name in side_data_models if name not in ORDER_SENSITIVE)
    return (*profile_models, *side_data_models)


def _list_profile_models(profile: TrainingProfileName, *, ordered: bool) -> tuple[str, ...]:
    """The models of a profile; without order-sensitive ones where events have no order."""
    names = PROFILE_MODELS[profile]
    if ordered:
        return names
    return tuple(name for name in names if name not in ORDER_SENSITIVE)


def build_model_specs(
    profile: TrainingProfileName,
    report: ProgressCallback,
    names: Sequence[str] = (),
    *,
    overrides: ParameterOverrides = NO_OVERRIDES,
    ordered: bool = True,
    backend: DistributedBackend | None = None,
) -> ModelSpecs:
    """Specifications of models by name, in the order of `MODEL_CLASSES`.

    Args:
        profile: training profile.
        report: receives the progress of models with slow fits.
        names: models to build; by default those of the profile, without order-sensitive ones for unordered data.
        overrides: hyper-parameters by model name; values that this version cannot use are ignored.
        ordered: whether the order of events is meaningful. If not, no model weights events by recency.
        backend: distributed backend of the sequential models.

    Raises:
        DataError: a name without a model.
    """
    specs = _build_all_specs(TRAINING_PROFILES[profile], report, backend)
    for name in names:
        if name not in specs:
            raise DataError(f"There is no model {name!r}; there are {', '.join(specs)}.")
    if not ordered:
        for name, values in UNORDERED_OVERRIDES.items():
            specs[name] = specs[name].replace_config(values)
    if not names:
        names = _list_profile_models(profile, ordered=ordered)
    selected = {}
    for name, spec in specs.items():
        if name in names:
            selected[name] = spec.with_overrides(overrides.get(name, {}))
    return selected


def _build_all_specs(
    training_profile: TrainingProfile, report: ProgressCallback, backend: DistributedBackend | None
) -> ModelSpecs:
    # Models whose fitting needs libraries that serving does not load.
    trainers: dict[str, Callable[[Any], Recommender[Any]]] = {
        "features": FeatureInteractionTrainer,
        "factors": partial(ImplicitALSTrainer, on_progress=report),
        "sequence": partial(SASRecTrainer, on_progress=report, backend=backend),
        "recurrent": partial(GRU4RecTrainer, on_progress=report, backend=backend),
        "convolutional": partial(NextItNetTrainer, on_progress=report, backend=backend),
    }
    specs = {}
    for model_class in MODEL_CLASSES:
        name = model_class.name
        specs[name] = ModelSpec(trainers.get(name, model_class), model_class.config_type())
    specs["sequence"] = replace(specs["sequence"], config=training_profile.sequence)
    return specs
