"""Fits implicit matrix factorisation by alternating least squares. Loads implicit: training processes only."""

from __future__ import annotations

import numpy as np
from implicit.cpu.als import AlternatingLeastSquares
from scipy import sparse
from threadpoolctl import threadpool_limits

from recommender.algorithms.co_occurrence import choices_of
from recommender.algorithms.factors import FactorsConfig, FactorsScorer
from recommender.algorithms.vectors import Vectors
from recommender.dataset import Dataset
from recommender.types import Floats, Report, silent


class FactorsTrainer(FactorsScorer):
    """FactorsScorer that can learn. `report` hears the fraction of rounds done and may raise Cancelled."""

    def __init__(self, config: FactorsConfig | None = None, *, report: Report = silent) -> None:
        super().__init__(config)
        self.report = report

    def _fit(self, data: Dataset, rng: np.random.Generator) -> None:
        # implicit takes the stored value as the whole confidence of a choice.
        confidence = choices_of(data.histories, data.items) * np.float32(1 + self.config.confidence)
        # One thread for BLAS: implicit's own loops call it for every user, and sums then have one order.
        with threadpool_limits(1, "blas"):
            factors = self._factorised(sparse.csr_matrix(confidence), int(rng.integers(2**31)))
            self._install(Vectors(factors))

    def _factorised(self, confidence: sparse.csr_matrix, seed: int) -> Floats:
        model = AlternatingLeastSquares(
            factors=min(self.config.factors, *confidence.shape),
            regularization=self.config.regularisation,
            iterations=self.config.iterations,
            num_threads=1,
            random_state=seed,
        )
        model.fit(confidence, show_progress=False, callback=self._heard)
        factors = np.array(model.item_factors, dtype=np.float32)
        # Rounds of the solver leave an item nobody chose with what is left of its random start.
        factors[np.diff(confidence.tocsc().indptr) == 0] = 0
        return factors

    def _heard(self, round_no: int, _seconds: float, _loss: float | None) -> None:
        self.report("factors", (round_no + 1) / self.config.iterations)
