"""Looks at images that nobody looked at yet. Loads torch: worker processes only."""

from __future__ import annotations

from collections.abc import Callable

from recommender import looks
from recommender.features.images import ENCODER
from recommender.features.look_training import LookEncoder
from tenants.data.actions.looks import record_looks
from tenants.data.queries import looks as stored
from tenants.data.queries.looks import Unseen
from tenants.regions import TenantRef
from tenants.scope import Actor, scope

PAGE = 64
UNREADABLE = b""


def look_at_images(
    tenant: TenantRef,
    *,
    actor: Actor,
    report: Callable[[float], None] = lambda _done: None,
    most: int | None = None,
) -> int:
    """Stores a vector for every image of a live item that has none, or for about `most` of them; `report` hears the
    fraction done.

    What is stored stays when this is stopped half-way. Returns how many images were looked at."""
    with scope(tenant, actor=actor) as s:
        total = stored.count_unseen(s, ENCODER)
        page = stored.unseen(s, ENCODER, limit=PAGE)
    if not page:
        return 0
    encoder, seen = LookEncoder(), 0
    while page:
        vectors = _vectors(encoder, page)
        with scope(tenant, actor=actor) as s:
            record_looks(s, ENCODER, page, vectors)
            following = stored.unseen(s, ENCODER, after=page[-1].item_no, limit=PAGE)
        seen += len(page)
        report(min(seen / max(total, 1), 1.0))
        page = following if most is None or seen < most else []
    return seen


def _vectors(encoder: LookEncoder, page: list[Unseen]) -> list[bytes]:
    found, faulty = encoder.vectors([one.content for one in page])
    rest = iter(found)
    unreadable = set(faulty)
    return [UNREADABLE if place in unreadable else looks.to_bytes(next(rest)) for place in range(len(page))]
