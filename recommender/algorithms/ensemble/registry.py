"""The models of this version, and the groups of models that other modules need. No torch.

To add a model: write its class, add it to `MODEL_CLASSES`, and, where fitting needs other libraries, add its trainer
to `recommender.fitting.training_profiles`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from recommender.algorithms.base import Recommender
from recommender.algorithms.content.feature_interactions import FeatureInteractionModel
from recommender.algorithms.content.review_score import ReviewScore
from recommender.algorithms.content.tfidf_content import TfidfContent
from recommender.algorithms.content.triple_similarity import TripleSimilarity
from recommender.algorithms.content.visual_similarity import VisualSimilarity
from recommender.algorithms.factorization.als import ImplicitALS
from recommender.algorithms.neighbourhood.ease import Ease
from recommender.algorithms.neighbourhood.item_knn import ItemKNN
from recommender.algorithms.neighbourhood.transitions import Transitions
from recommender.algorithms.popularity.popularity import Popularity
from recommender.algorithms.popularity.recent_popularity import RecentPopularity
from recommender.algorithms.sequential.base import OnnxSequentialModel
from recommender.algorithms.sequential.gru4rec import GRU4Rec
from recommender.algorithms.sequential.nextitnet import NextItNet
from recommender.algorithms.sequential.sasrec import SASRec

# Models are fitted in this order, and each fit draws from the same generator: a new order changes trained models.
MODEL_CLASSES: tuple[type[Recommender[Any]], ...] = (
    Popularity,
    RecentPopularity,
    ReviewScore,
    Transitions,
    ItemKNN,
    TfidfContent,
    VisualSimilarity,
    TripleSimilarity,
    FeatureInteractionModel,
    ImplicitALS,
    Ease,
    SASRec,
    GRU4Rec,
    NextItNet,
)

MODEL_REGISTRY: Mapping[str, type[Recommender[Any]]] = {cls.name: cls for cls in MODEL_CLASSES}
MODEL_LABELS: Mapping[str, str] = {cls.name: cls.label for cls in MODEL_CLASSES}
RELATIVE_COST: Mapping[str, float] = {cls.name: cls.relative_cost for cls in MODEL_CLASSES}

SEQUENTIAL_MODELS = frozenset(cls.name for cls in MODEL_CLASSES if issubclass(cls, OnnxSequentialModel))
ORDER_SENSITIVE = frozenset(cls.name for cls in MODEL_CLASSES if cls.reads_order)
NON_BEHAVIOURAL_MODELS = frozenset(cls.name for cls in MODEL_CLASSES if not cls.uses_behaviour)
MODELS_PLACING_EVERY_ITEM = frozenset(cls.name for cls in MODEL_CLASSES if cls.places_every_item)
