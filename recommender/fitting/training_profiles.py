"""How much work a fit may take."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
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
from recommender.algorithms.sequential.trainer import SASRecTrainer
from recommender.dataset import Dataset
from recommender.types import DataError, ProgressCallback

TrainingProfileName = Literal["fast", "full"]


@dataclass(frozen=True)
class TrainingProfile:
    """most_cases bounds how many hidden events the blend is learned from and judged by."""

    sequence: SASRecConfig
    max_cases: int


TRAINING_PROFILES: Mapping[TrainingProfileName, TrainingProfile] = {
    "full": TrainingProfile(SASRecConfig(), max_cases=30_000),
    "fast": TrainingProfile(
        SASRecConfig(learning_rate=3e-3, epochs=20, finetune_epochs=1, max_training_positions=1_000_000),
        max_cases=4_000,
    ),
}

# What has earned its place in the blend; the others are fitted where they are asked for by name.
FAST_MODELS = ("popularity", "transitions", "item_neighbours", "content", "factors", "ease", "sequence")
PROFILE_MODELS: Mapping[TrainingProfileName, tuple[str, ...]] = {
    "full": (*FAST_MODELS, "recurrent", "convolutional"),
    "fast": FAST_MODELS,
}
OPTIONAL_MODELS = tuple(name for name in RELATIVE_COST if name not in PROFILE_MODELS["full"])

ModelFactory = Callable[[], Recommender[Any]]
ModelFactories = dict[str, ModelFactory]
ParameterOverrides = Mapping[str, Mapping[str, Any]]
"""By member, the settings that differ from the defaults."""
NO_OVERRIDES: ParameterOverrides = {}
_NO_DECAY = {"decay": 1.0, "history": 500}
# Without fading a whole history has the confidence that its latest events have else.
UNORDERED_OVERRIDES: ParameterOverrides = {
    "item_neighbours": _NO_DECAY,
    "content": _NO_DECAY,
    "ease": _NO_DECAY,
    "factors": {**_NO_DECAY, "confidence": 5.0},
}


def select_models_for_data(dataset: Dataset) -> tuple[str, ...]:
    """Names of the models that belong to every profile because the data has all side data that they read.

    Models that read texts are listed in the profiles instead."""
    available: set[ContentKind] = set()
    if dataset.image_embeddings is not None:
        available.add("image")
    if dataset.triple_tokens and any(dataset.triple_tokens):
        available.add("triples")
    if dataset.review_features is not None:
        available.add("reviews")
    return tuple(cls.name for cls in MODEL_CLASSES if cls.reads_content and cls.reads_content <= available)


def select_default_models(profile: TrainingProfileName, dataset: Dataset) -> tuple[str, ...]:
    """Those of the profile and of what the data has; without an order none that reads one."""
    names = (*PROFILE_MODELS[profile], *select_models_for_data(dataset))
    return names if dataset.is_ordered else tuple(name for name in names if name not in ORDER_SENSITIVE)


def build_model_factories(
    profile: TrainingProfileName,
    report: ProgressCallback,
    names: Sequence[str] = (),
    *,
    overrides: ParameterOverrides = NO_OVERRIDES,
    ordered: bool = True,
    backend: DistributedBackend | None = None,
) -> ModelFactories:
    """Makers of unfitted members by name, quickest first; `report` hears how far the slow ones are.

    Those of the profile where no names are given. `changes` are settings of members that differ from the profile's;
    what this version cannot set is passed over. Where events are not `ordered`, none fades, and no member that reads an
    order is made unasked. Raises DataError for a name that no member has."""
    makers = _build_all_factories(TRAINING_PROFILES[profile], report, backend)
    if not ordered:
        makers |= {
            name: _wrap_factory(makers[name], settings) for name, settings in UNORDERED_OVERRIDES.items()
        }
    unknown = [name for name in names if name not in makers]
    if unknown:
        raise DataError(f"There is no member {unknown[0]!r}; there are {', '.join(makers)}.")
    chosen = names or [name for name in PROFILE_MODELS[profile] if ordered or name not in ORDER_SENSITIVE]
    return {
        name: apply_overrides(make, overrides.get(name, {}))
        for name, make in makers.items()
        if name in chosen
    }


def apply_overrides(factory: ModelFactory, overrides: Mapping[str, Any]) -> ModelFactory:
    """A maker of the same member with some settings changed."""
    return _wrap_factory(factory, overrides, validate=filter_valid_overrides) if overrides else factory


def _wrap_factory(
    factory: ModelFactory,
    settings: Mapping[str, Any],
    validate: Callable[[type[Any], Mapping[str, Any]], Mapping[str, Any]] = lambda _kind, given: given,
) -> ModelFactory:
    def build_model() -> Recommender[Any]:
        model = factory()
        model.config = replace(model.config, **validate(type(model.config), settings))
        return model

    return build_model


def _build_all_factories(
    training_profile: TrainingProfile, report: ProgressCallback, backend: DistributedBackend | None
) -> ModelFactories:
    # Models whose fitting needs libraries that serving does not load.
    trainers: ModelFactories = {
        "features": FeatureInteractionTrainer,
        "factors": lambda: ImplicitALSTrainer(on_progress=report),
        "sequence": lambda: SASRecTrainer(training_profile.sequence, on_progress=report, backend=backend),
        "recurrent": lambda: GRU4RecTrainer(on_progress=report, backend=backend),
        "convolutional": lambda: NextItNetTrainer(on_progress=report, backend=backend),
    }
    return {cls.name: trainers.get(cls.name, cls) for cls in MODEL_CLASSES}
