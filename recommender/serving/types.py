"""Request and response structs of serving; the API encodes and decodes them without translation."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

from recommender.serving.catalogue.filters import FilterValue
from tenants.data.types import Id, Scenario

Stage = Literal["model", "model_session", "content", "knowledge", "popular", "recent", "empty"]
ReasonKind = Literal[
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
MAX_K = 200


class RecommendRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A profile, a session of item ids (oldest first), both, or neither."""

    profile_id: Id | None = None
    session: Annotated[list[Id], msgspec.Meta(max_length=200)] | None = None
    k: Annotated[
        int,
        msgspec.Meta(
            ge=1,
            le=MAX_K,
        ),
    ] = 10
    scenario: Scenario = "default"
    exclude: Annotated[list[Id], msgspec.Meta(max_length=1000)] = []
    filter: dict[str, dict[str, FilterValue]] | None = None
    reasons: bool = False


class RecommendationReason(msgspec.Struct, frozen=True):
    """Why an item was recommended.

    `evidence` has ids of items or rules, or names of categories or aspects. `contribution` is the fraction of the item's
    score, 0 to 1, that this kind of reason accounts for; None where the score is not a sum of such parts.
    """

    kind: ReasonKind
    text: str
    evidence: list[str]
    contribution: float | None = None


class RecommendedItem(msgspec.Struct, frozen=True):
    """One item of an answer, with the catalogue fields that a client shows."""

    id: str
    score: float
    title: str
    categories: list[str]
    price: float | None
    currency: str | None
    image_url: str | None
    reasons: list[RecommendationReason]


class RecommendAnswer(msgspec.Struct, frozen=True):
    """An answer. `truncated_reason` is set whenever `returned` is below `requested`."""

    recommendation_id: str
    requested: int
    returned: int
    truncated_reason: str | None
    stage: Stage
    fallback_reason: str | None
    model_version: str | None
    items: list[RecommendedItem]
