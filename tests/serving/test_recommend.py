"""Which stage answers, and what never appears."""

from __future__ import annotations

from collections.abc import Callable
from uuid import UUID

import pytest

from recommender.serving.recommend import recommend
from recommender.serving.spaces import spaces
from recommender.serving.types import RecommendRequest
from tenants.regions import TenantRef
from tenants.scope import Actor

Order = Callable[[TenantRef], UUID]


@pytest.fixture
def served(walkers: TenantRef, actor: Actor, order: Order) -> TenantRef:
    """A tenant with a trained model in this process's memory."""
    from recommender.training.work import work

    work(walkers, order(walkers), owner="w1", actor=actor)
    spaces().refresh_now(walkers)
    return walkers


def test_a_known_profile_is_answered_by_the_model(served: TenantRef, actor: Actor) -> None:
    answer = recommend(served, RecommendRequest(profile_id="p0", k=5, reasons=True), actor=actor)
    assert answer.stage == "model"
    assert [one.id for one in answer.items][0] == "i8"
    assert answer.returned == answer.requested == 5
    assert answer.items[0].reasons[0].kind in ("because_of", "pattern")
    print(answer)
