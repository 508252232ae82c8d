"""What serving is asked and what it answers. The API encodes these structs as they are."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

from recommender.serving.catalogue.filters import FilterValue
from tenants.data.types import Id, Scenario

Stage = Literal["model", "model_session", "content", "knowledge", "popular", "recent", "empty"]
MAX_K = 200


class RecommendRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A profile, a session of item ids (oldest first), both, or neither."""

    profile_id: Id | None = None
    session: Annotated[list[Id], msgspec.Meta(max_length=200)] | None = None
    k: Annotated[int, msgspec.Meta(ge=1, le=MAX_K)] = 10
    scenario: Scenario = "default"
    exclude: Annotated[list[Id], msgspec.Meta(max_length=1000)] = []
    filter: dict[str, dict[str, FilterValue]] | None = None
    reasons: bool = False


class RecommendationReason(msgspec.Struct, frozen=True):
    """`evidence` are ids of items or of rules, or names of categories or of aspects; `share` is this kind's part of the
    item's score."""

    kind: Literal[
        "from_history",
        "similar",
        "similar_image",
        "linked",
        "rule",
        "shared",
        "pattern",
        "popular",
        "recent",
        "well_reviewed",
    ]
    text: str
    evidence: list[str]
    share: float | None = None


class RecommendedItem(msgspec.Struct, frozen=True):
    id: str
    score: float
    title: str
    categories: list[str]
    price: float | None
    currency: str | None
    image_url: str | None
    reasons: list[RecommendationReason]


class RecommendAnswer(msgspec.Struct, frozen=True):
    """`returned` below `requested` always comes with `truncated_reason`."""

    recommendation_id: str
    requested: int
    returned: int
    truncated_reason: str | None
    stage: Stage
    fallback_reason: str | None
    model_version: str | None
    items: list[RecommendedItem]
