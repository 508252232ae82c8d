"""Learns the feature model. Loads scikit-learn: training processes only."""

from __future__ import annotations

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.utils.extmath import randomized_svd

from recommender.algorithms.features_model import FeaturesScorer, unit
from recommender.dataset import Dataset, ItemOpinions
from recommender.features.text import Vectoriser
from recommender.types import CannotFit, Floats, Histories, Longs

_WORTH = 0.5  # length of the opinions beside a text of length one


class FeaturesTrainer(FeaturesScorer):
    """FeaturesScorer that can learn."""

    def _fit(self, data: Dataset, rng: np.random.Generator) -> None:
        if data.content is None or not data.content.present:
            raise CannotFit("no item has a text")
        if not (data.histories.lengths >= 2).any():
            raise CannotFit("no user chose two different items")
        vectors = with_opinions(self._reduced(data.content.texts, rng), data.opinions)
        size = vectors.shape[1]
        self._install(vectors, np.ones(size, np.float32), np.zeros(1, np.float32))
        product, chosen = self._pairs(data.histories, rng)
        learned = LogisticRegression(C=1 / self.config.penalty, max_iter=200).fit(product, chosen)
        self._install(vectors, learned.coef_[0].astype(np.float32), learned.intercept_.astype(np.float32))

    def _reduced(self, texts: tuple[str, ...], rng: np.random.Generator) -> Floats:
        """float32 (items, dimensions), rows of length one: TF-IDF projected on its greatest singular vectors."""
        floor = self.config.min_items if len(texts) >= 100 else 1
        tfidf = Vectoriser.learn(texts, min_items=floor, max_terms=self.config.max_terms).vectors(texts)
        if tfidf.nnz == 0:
            raise CannotFit("no item has a text")
        size = min(self.config.dimensions, *tfidf.shape)
        _, _, axes = randomized_svd(tfidf, size, random_state=int(rng.integers(2**31)))
        return unit(np.asarray(tfidf @ axes.T, dtype=np.float32))

    def _pairs(self, histories: Histories, rng: np.random.Generator) -> tuple[Floats, Longs]:
        """x_u * x_i, shape (pairs x (1 + negatives), dimensions), and whether u chose i.

        x_u comes from the events before the one told, else it would hold the answer."""
        told = np.flatnonzero(
            np.arange(len(histories.item)) > np.repeat(histories.indptr[:-1], histories.lengths)
        )
        if len(told) > self.config.most_pairs:
            told = np.sort(rng.choice(told, self.config.most_pairs, replace=False))
        user = self.user_features(histories.before(told, most=self.config.history))
        item = np.empty((len(told), 1 + self.config.negatives), np.int64)
        item[:, 0] = histories.item[told]
        item[:, 1:] = rng.integers(0, self.items, (len(told), self.config.negatives))
        product = user[:, None, :] * self._vectors[item]
        chosen = np.zeros(item.shape, np.int64)
        chosen[:, 0] = 1
        return product.reshape(-1, user.shape[1]), chosen.ravel()


def with_opinions(vectors: Floats, opinions: ItemOpinions | None) -> Floats:
    """Rows of length one of the text's vector and, beside it, what reviews say; without opinions the rows as they are."""
    if opinions is None or not opinions.present:
        return vectors
    said = opinions.columns()
    spread = float(np.sqrt((said**2).sum(axis=1)[said.any(axis=1)].mean()))
    return unit(np.column_stack([vectors, said * np.float32(_WORTH / spread)]).astype(np.float32))
