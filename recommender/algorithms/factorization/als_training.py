"""Fits implicit matrix factorisation by alternating least squares. Imports implicit, so only training processes may import this module."""

from __future__ import annotations

import numpy as np
from implicit.cpu.als import AlternatingLeastSquares
from scipy import sparse
from threadpoolctl import threadpool_limits

from recommender.algorithms.common.co_occurrence import build_interaction_matrix
from recommender.algorithms.common.embedding_table import EmbeddingTable
from recommender.algorithms.factorization.als import ImplicitALS, ImplicitALSConfig
from recommender.dataset import Dataset
from recommender.types import Float32Array, ProgressCallback, ignore_progress


class ImplicitALSTrainer(ImplicitALS):
    """An `ImplicitALS` that can be fitted."""

    def __init__(
        self,
        config: ImplicitALSConfig | None = None,
        *,
        on_progress: ProgressCallback = ignore_progress,
    ) -> None:
        """Creates an unfitted model.

        Args:
            config: Parameters; the defaults if omitted.
            on_progress: Receives the fraction of sweeps done; may raise TrainingCancelled.
        """
        super().__init__(config)
        self.on_progress = on_progress

    def _fit(
        self,
        data: Dataset,
        rng: np.random.Generator,
    ) -> None:
        interactions = build_interaction_matrix(data.histories, data.n_items)
        # implicit reads the stored value as the whole confidence of a choice.
        confidence = interactions * np.float32(1 + self.config.confidence)
        seed = int(rng.integers(2**31))
        # One BLAS thread: implicit's loops call BLAS for every user, and sums then have one order.
        with threadpool_limits(1, "blas"):
            factors = self._fit_factors(sparse.csr_matrix(confidence), seed)
            self._set_factors(EmbeddingTable(factors))

    def _fit_factors(
        self,
        confidence: sparse.csr_matrix,
        seed: int,
    ) -> Float32Array:
        model = AlternatingLeastSquares(
            factors=min(self.config.factors, *confidence.shape),
            regularization=self.config.regularisation,
            iterations=self.config.iterations,
            num_threads=1,
            random_state=seed,
        )
        model.fit(
            confidence,
            show_progress=False,
            callback=self._report_progress,
        )
        factors = np.array(model.item_factors, dtype=np.float32)
        users_per_item = np.diff(confidence.tocsc().indptr)
        # The solver only shrinks the random start of an item without events; it should score zero.
        factors[users_per_item == 0] = 0
        return factors

    def _report_progress(
        self,
        iteration: int,
        _seconds: float,
        _loss: float | None,
    ) -> None:
        self.on_progress(self.name, (iteration + 1) / self.config.iterations)
