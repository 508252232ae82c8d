"""Review texts with known sentiment and aspect."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from tenants.data.actions import reviews
from tenants.data.types import ReviewInput
from tenants.regions import TenantRef
from tenants.scope import Actor, scope

POSITIVE_REVIEWS = {
    "en": (
        "The battery is excellent and lasts for days.",
        "I love it. Great battery!",
        "Very good battery life, highly recommended.",
        "Works great, the battery is amazing.",
        "Excellent battery and a beautiful screen.",
    ),
    "zh": (
        "电池很好，非常满意。",
        "续航不错，喜欢。",
        "电池耐用，推荐购买。",
        "很喜欢，电池很棒。",
        "充电快，电池非常给力。",
    ),
}
NEGATIVE_REVIEWS = (
    "The battery is terrible.",
    "Awful battery, very disappointed.",
    "The battery died, what a waste.",
    "Horrible. The battery is useless.",
    "Bad battery and a broken screen.",
)


def write_reviews(
    tenant: TenantRef,
    actor: Actor,
    item: str,
    texts: Sequence[str],
    *,
    profiles: Sequence[str | None] = (None, None, None, None, None),
    at: datetime | None = None,
) -> None:
    rows = [
        ReviewInput(
            item_id=item,
            profile_id=profile,
            id=f"{item}-{n}-{text[:40]}",
            text=text,
            at=at or datetime.now(UTC),
        )
        for n, (text, profile) in enumerate(zip(texts, profiles, strict=True))
    ]
    with scope(tenant, actor=actor) as s:
        assert reviews.record_reviews(s, rows).rejected == []
