"""Synthetic data with known recommendations: users of even number choose even items, the others odd ones."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from recommender.algorithms.base import Recommender
from recommender.algorithms.content.feature_interactions_training import FeatureInteractionTrainer
from recommender.algorithms.content.review_score import ReviewScore
from recommender.algorithms.content.tfidf_content import TfidfContent
from recommender.algorithms.content.triple_similarity import TripleSimilarity
from recommender.algorithms.content.visual_similarity import VisualSimilarity
from recommender.algorithms.factorization.als import ImplicitALSConfig
from recommender.algorithms.factorization.als_training import ImplicitALSTrainer
from recommender.algorithms.neighbourhood.ease import Ease, EaseConfig
from recommender.algorithms.neighbourhood.item_knn import ItemKNN
from recommender.algorithms.neighbourhood.transitions import Transitions
from recommender.algorithms.popularity.popularity import Popularity
from recommender.algorithms.popularity.recent_popularity import RecentPopularity
from recommender.algorithms.sequential.gru4rec import GRU4RecConfig
from recommender.algorithms.sequential.gru4rec_training import GRU4RecTrainer
from recommender.algorithms.sequential.nextitnet import NextItNetConfig
from recommender.algorithms.sequential.nextitnet_training import NextItNetTrainer
from recommender.algorithms.sequential.sasrec import SASRecConfig
from recommender.algorithms.sequential.sasrec_training import SASRecTrainer
from recommender.dataset import Dataset, ItemContent, ItemReviewFeatures

ITEMS = 24
USERS = 120
QUICK_TRAINING: dict[str, Any] = {
    "dimensions": 16,
    "epochs": 25,
    "finetune_epochs": 2,
    "negatives": 16,
    "batch_size": 32,
    "learning_rate": 5e-3,
}
SMALL = SASRecConfig(**QUICK_TRAINING)


def make_checkerboard() -> Dataset:
    """Users of even number choose even items, the others odd ones. All kinds of content reveal the parity."""
    rng = np.random.default_rng(7)
    rows = [(2 * rng.permutation(ITEMS // 2)[:8] + user % 2).tolist() for user in range(USERS)]
    parity = np.arange(ITEMS) % 2
    image_embeddings = np.where(parity[:, None], *np.eye(2, 8)) + rng.normal(0, 0.1, (ITEMS, 8))
    texts = []
    triple_tokens = []
    for item in range(ITEMS):
        colour = "crimson" if item % 2 == 0 else "azure"
        texts.append(f"{colour} thing {item}")
        triple_tokens.append((f"colour\t{item % 2}", f"number\t{item}"))
    events = Dataset.from_sequences(rows, n_items=ITEMS, content=ItemContent(tuple(texts)))
    return replace(
        events,
        image_embeddings=image_embeddings.astype(np.float32),
        triple_tokens=tuple(triple_tokens),
        review_features=make_review_features(),
    )


def make_review_features() -> ItemReviewFeatures:
    """Reviews of even items are positive on warmth, those of odd items on calm. The mean sentiment of all is equal."""
    is_even = (np.arange(ITEMS) % 2 == 0).astype(np.float32)
    aspects = np.column_stack([is_even, 1 - is_even]) * 0.3
    zeros = np.zeros(ITEMS, np.float32)
    return ItemReviewFeatures(("warmth", "calm"), zeros, zeros, aspects.astype(np.float32))


PERSONAL_MODELS: dict[str, Callable[[], Recommender[Any]]] = {
    "transitions": Transitions,
    "item_neighbours": ItemKNN,
    "ease": lambda: Ease(EaseConfig(regularisation=5.0)),
    "factors": lambda: ImplicitALSTrainer(ImplicitALSConfig(factors=2)),
    "content": TfidfContent,
    "visual_similarity": VisualSimilarity,
    "triple_similarity": TripleSimilarity,
    "review_score": ReviewScore,
    "features": FeatureInteractionTrainer,
    "sequence": lambda: SASRecTrainer(SMALL),
    "recurrent": lambda: GRU4RecTrainer(GRU4RecConfig(hidden_size=16, **QUICK_TRAINING)),
    "convolutional": lambda: NextItNetTrainer(NextItNetConfig(**QUICK_TRAINING | {"epochs": 50})),
}
ALL_MODELS: dict[str, Callable[[], Recommender[Any]]] = {
    "popularity": Popularity,
    "recent_popularity": RecentPopularity,
    **PERSONAL_MODELS,
}
