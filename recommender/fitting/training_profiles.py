"""How much work a fit may take."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from recommender.algorithms.base import Recommender
from recommender.algorithms.common.search_space import filter_valid_overrides
from recommender.algorithms.content.feature_interactions_training import FeatureInteractionTrainer
from recommender.algorithms.content.review_score import ReviewScore
from recommender.algorithms.content.tfidf_content import TfidfContent
from recommender.algorithms.content.triple_similarity import TripleSimilarity
from recommender.algorithms.content.visual_similarity import VisualSimilarity
from recommender.algorithms.ensemble.ensemble import SEQUENTIAL_MODELS
from recommender.algorithms.factorization.als_training import ImplicitALSTrainer
from recommender.algorithms.neighbourhood.ease import Ease
from recommender.algorithms.neighbourhood.item_knn import ItemKNN
from recommender.algorithms.neighbourhood.transitions import Transitions
from recommender.algorithms.popularity.popularity import Popularity
from recommender.algorithms.popularity.recent_popularity import RecentPopularity
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

# About how long each member takes beside the others, for honest percentages.
RELATIVE_COST: Mapping[str, float] = {
    "popularity": 0.01,
    "recent_popularity": 0.01,
    "reputation": 0.01,
    "transitions": 0.02,
    "item_neighbours": 0.02,
    "content": 0.05,
    "look": 0.05,
    "knowledge": 0.05,
    "features": 0.1,
    "factors": 0.1,
    "ease": 0.2,
    "sequence": 1.0,
    "recurrent": 1.5,
    "convolutional": 1.5,
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
ORDER_SENSITIVE = SEQUENTIAL_MODELS | {Transitions.name}
_NO_DECAY = {"decay": 1.0, "history": 500}
# Without fading a whole history has the confidence that its latest events have else.
UNORDERED_OVERRIDES: ParameterOverrides = {
    "item_neighbours": _NO_DECAY,
    "content": _NO_DECAY,
    "ease": _NO_DECAY,
    "factors": {**_NO_DECAY, "confidence": 5.0},
}


def select_models_for_data(dataset: Dataset) -> tuple[str, ...]:
    """Members of every profile wherever the data has what they read."""
    there = {
        VisualSimilarity.name: dataset.image_embeddings is not None,
        TripleSimilarity.name: bool(dataset.triple_tokens and any(dataset.triple_tokens)),
        ReviewScore.name: dataset.review_features is not None,
    }
    return tuple(name for name, found in there.items() if found)


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
) -> ModelFactories:
    """Makers of unfitted members by name, quickest first; `report` hears how far the slow ones are.

    Those of the profile where no names are given. `changes` are settings of members that differ from the profile's;
    what this version cannot set is passed over. Where events are not `ordered`, none fades, and no member that reads an
    order is made unasked. Raises DataError for a name that no member has."""
    makers = _build_all_factories(TRAINING_PROFILES[profile], report)
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


def _build_all_factories(training_profile: TrainingProfile, report: ProgressCallback) -> ModelFactories:
    return {
        "popularity": Popularity,
        "recent_popularity": RecentPopularity,
        "reputation": ReviewScore,
        "transitions": Transitions,
        "item_neighbours": ItemKNN,
        "content": TfidfContent,
        "look": VisualSimilarity,
        "knowledge": TripleSimilarity,
        "features": FeatureInteractionTrainer,
        "factors": lambda: ImplicitALSTrainer(on_progress=report),
        "ease": Ease,
        "sequence": lambda: SASRecTrainer(training_profile.sequence, on_progress=report),
        "recurrent": lambda: GRU4RecTrainer(on_progress=report),
        "convolutional": lambda: NextItNetTrainer(on_progress=report),
    }
