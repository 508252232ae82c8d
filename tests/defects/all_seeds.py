from __future__ import annotations

from tests.defects.api_seeds import API_SEEDS
from tests.defects.control_seeds import CONTROL_SEEDS
from tests.defects.recommender_seeds import RECOMMENDER_SEEDS
from tests.defects.seeds import SEEDS, Seed
from tests.defects.stranger_seeds import STRANGER_SEEDS

ALL_SEEDS: tuple[Seed, ...] = (*SEEDS, *API_SEEDS, *CONTROL_SEEDS, *RECOMMENDER_SEEDS, *STRANGER_SEEDS)
