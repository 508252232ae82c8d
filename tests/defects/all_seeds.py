from __future__ import annotations

from tests.defects.api_seeds import API_SEEDS
from tests.defects.control_seeds import CONTROL_SEEDS
from tests.defects.crypto_seeds import CRYPTO_SEEDS
from tests.defects.factors_seeds import FACTORS_SEEDS
from tests.defects.feature_seeds import FEATURE_SEEDS
from tests.defects.growth_seeds import GROWTH_SEEDS
from tests.defects.image_seeds import IMAGE_SEEDS, KNOWLEDGE_SEEDS
from tests.defects.keys_seeds import KEYS_SEEDS
from tests.defects.language_seeds import LANGUAGE_SEEDS
from tests.defects.lock_seeds import LOCK_SEEDS
from tests.defects.network_seeds import NETWORK_SEEDS
from tests.defects.platform_seeds import PLATFORM_SEEDS
from tests.defects.quality_seeds import QUALITY_SEEDS
from tests.defects.recommender_seeds import RECOMMENDER_SEEDS
from tests.defects.residency_seeds import RESIDENCY_SEEDS
from tests.defects.seeds import SEEDS, Seed
from tests.defects.stranger_seeds import STRANGER_SEEDS
from tests.defects.timeline_seeds import TIMELINE_SEEDS

ALL_SEEDS: tuple[Seed, ...] = (
    *API_SEEDS,
    *CONTROL_SEEDS,
    *CRYPTO_SEEDS,
    *FACTORS_SEEDS,
    *FEATURE_SEEDS,
    *GROWTH_SEEDS,
    *IMAGE_SEEDS,
    *KEYS_SEEDS,
    *KNOWLEDGE_SEEDS,
    *LANGUAGE_SEEDS,
    *LOCK_SEEDS,
    *NETWORK_SEEDS,
    *PLATFORM_SEEDS,
    *QUALITY_SEEDS,
    *RECOMMENDER_SEEDS,
    *RESIDENCY_SEEDS,
    *SEEDS,
    *STRANGER_SEEDS,
    *TIMELINE_SEEDS,
)
