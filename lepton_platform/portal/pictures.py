"""Recommended items as cards: with their stored picture, and reasons that name items by their titles."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from django.urls import reverse
from django.utils.http import urlencode

from lepton_platform.portal.access import Here
from recommender.serving.types import Reason, RecommendedItem
from tenants.data.queries import catalog
from tenants.data.types import ItemView
from tenants.errors import NotFound
from tenants.scope import Scope, scope

_ABOUT_ITEMS = ("because_of", "often_together", "similar", "looks_like", "linked")


@dataclass(frozen=True, slots=True)
class Why:
    text: str
    evidence: list[str]
    share: float | None


@dataclass(frozen=True, slots=True)
class Card:
    """`picture` is an address of ours or empty: pictures of other servers are never loaded."""

    item: RecommendedItem
    picture: str
    reasons: list[Why]


def cards(here: Here, items: Sequence[RecommendedItem]) -> list[Card]:
    base = reverse("portal:catalogue_image", args=[here.tenant.slug])
    with scope(here.ref, actor=here.actor) as s:
        known = _known(s, items)
    return [_card(item, known, base) for item in items]


def _known(s: Scope, items: Sequence[RecommendedItem]) -> dict[str, ItemView]:
    """The recommended items and those that the reasons name; what vanished meanwhile is absent."""
    named = {
        one for item in items for why in item.reasons if why.kind in _ABOUT_ITEMS for one in why.evidence
    }
    found = {}
    for item_id in named | {item.id for item in items}:
        try:
            found[item_id] = catalog.item(s, item_id)
        except NotFound:
            continue
    return found


def _card(item: RecommendedItem, known: dict[str, ItemView], base: str) -> Card:
    view = known.get(item.id)
    picture = f"{base}?{urlencode({'id': item.id})}" if view and view.has_image else ""
    return Card(item, picture, [_why(reason, known) for reason in item.reasons])


def _why(reason: Reason, known: dict[str, ItemView]) -> Why:
    names = [known[one].item.title or one if one in known else one for one in reason.evidence]
    return Why(reason.text, names, reason.share)
