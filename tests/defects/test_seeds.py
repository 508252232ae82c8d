"""Seeds stay applicable: the text that each one changes stands exactly once where it says."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.defects.all_seeds import ALL_SEEDS
from tests.defects.seeds import Seed

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize("seed", ALL_SEEDS, ids=lambda seed: seed.name)
def test_a_seed_can_be_applied(seed: Seed) -> None:
    assert (ROOT / seed.path).read_text(encoding="utf-8").count(seed.right) == 1
    assert seed.wrong not in ("", seed.right) or seed.right.strip()
    assert all((ROOT / name.partition("::")[0]).exists() for name in seed.caught_by.split())


def test_seeds_have_names_of_their_own() -> None:
    assert len({seed.name for seed in ALL_SEEDS}) == len(ALL_SEEDS) >= 40
