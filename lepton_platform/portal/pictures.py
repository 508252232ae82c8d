from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.urls import reverse
from django.utils.http import urlencode

from lepton_platform.portal.access import Here
from recommender.serving.types import RecommendedItem
from tenants.data.queries import catalog
from tenants.errors import NotFound
from tenants.scope import Scope, scope


@dataclass(frozen=True, slots=True)
class Card:
    """A recommended item with its stored picture; outside pictures are never loaded."""

    item: RecommendedItem
    picture: str


def with_picture(here: Here, items: Sequence[RecommendedItem]) -> list[Card]:
    base = reverse("portal:catalogue_image", args=[here.tenant.slug])
    with scope(here.ref, actor=here.actor) as s:
        return [
            Card(item, f"{base}?{urlencode({'id': item.id})}" if _has(s, item.id) else "") for item in items
        ]


def _has(s: Scope, item_id: str) -> Any:
    try:
        return catalog.item(s, item_id).has_image
    except NotFound:
        return False
