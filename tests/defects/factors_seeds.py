"""Defects of neighbourhoods, factors, features and the item-by-item solution."""

from __future__ import annotations

from tests.defects.seeds import Seed

FACTORS_SEEDS = (
    Seed(
        "few common users count like many",
        "recommender/algorithms/neighbourhood/item_knn.py",
        "pairs.data / (pairs.data + np.float32(self.config.shrinkage))",
        "pairs.data / (pairs.data + np.float32(0))",
        "tests/recommender/algorithms/test_item_knn.py",
    ),
    Seed(
        "a history is folded in without its confidence",
        "recommender/algorithms/factorization/als.py",
        "system = confidence[:, :, None] * (projected",
        "system = np.ones_like(confidence)[:, :, None] * (projected",
        "tests/recommender/algorithms/test_als.py",
    ),
    Seed(
        "factors differ from run to run",
        "recommender/algorithms/factorization/als_training.py",
        "random_state=seed,",
        "random_state=None,",
        "tests/recommender/algorithms/test_recommender_contract.py::test_the_same_seed_makes_the_same_model",
    ),
    Seed(
        "the answer is among the features it is told from",
        "recommender/types.py",
        "lengths = events - start",
        "lengths = events - start + 1",
        "tests/recommender/algorithms/test_feature_interactions.py",
    ),
    Seed(
        "an item is explained by itself",
        "recommender/algorithms/neighbourhood/ease_local.py",
        "other = self.indices[span] != item",
        "other = self.indices[span] >= 0",
        "tests/recommender/algorithms/test_ease.py",
    ),
    Seed(
        "serving loads the library that only trains",
        "recommender/algorithms/ensemble/registry.py",
        "from recommender.algorithms.factorization.als import ImplicitALS",
        "from recommender.algorithms.factorization.als_training import ImplicitALSTrainer as ImplicitALS",
        "tests/recommender/algorithms/test_serving_has_no_torch.py",
    ),
    Seed(
        "a row of zeros in one byte a value says something",
        "recommender/algorithms/common/embedding_table.py",
        "scales = np.where(values.any(axis=1), scale, np.float32(0))",
        "scales = scale",
        "tests/recommender/algorithms/test_embedding_table.py",
    ),
    Seed(
        "what a kernel holds is not counted",
        "recommender/algorithms/common/memory_usage.py",
        'yield id(value), getattr(value, "session_bytes", 0)',
        "yield id(value), 0",
        "tests/recommender/algorithms/test_embedding_table.py",
    ),
    Seed(
        "a table is multiplied in the lengths of another",
        "recommender/algorithms/common/embedding_table.py",
        "scale=self._scale * factors,",
        "scale=self._scale,",
        "tests/recommender/algorithms/test_embedding_table.py",
    ),
    Seed(
        "a choice of long ago counts like none in the factors of a history",
        "recommender/algorithms/factorization/als.py",
        "MIN_CONFIDENCE = 1e-3",
        "MIN_CONFIDENCE = 1.5",
        "tests/recommender/algorithms/test_als.py",
    ),
    Seed(
        "who did much after the cut counts more than others",
        "recommender/benchmarks/evaluation_report.py",
        "metrics.summarize_metrics(rng, split.user)",
        "metrics.summarize_metrics(rng)",
        "tests/recommender/benchmarks/test_evaluate.py",
    ),
    Seed(
        "what is asked after the cut is learned from",
        "recommender/dataset/splits.py",
        "train=dataset.filter_events(is_before_cutoff),",
        "train=dataset,",
        "tests/recommender/dataset/test_splits.py",
    ),
    Seed(
        "an event of long ago is named as a reason",
        "recommender/algorithms/neighbourhood/model.py",
        "event_weights = np.where(is_recent, recency_weights, 0)",
        "event_weights = np.where(is_recent | True, recency_weights, 0)",
        "tests/recommender/algorithms/test_neighbourhood_model.py",
    ),
    Seed(
        "events fade where nothing is known of their order",
        "recommender/fitting/training_profiles.py",
        "    if not ordered:\n",
        "    if False:\n",
        "tests/recommender/algorithms/test_unordered_events.py",
    ),
    Seed(
        "the order of a file is taken for that of events",
        "recommender/dataset/interaction_files.py",
        ".sample(fraction=1, shuffle=True, seed=0)",
        "",
        "tests/recommender/dataset/test_interaction_files.py",
    ),
)
