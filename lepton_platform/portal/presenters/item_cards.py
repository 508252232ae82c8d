"""Recommended items as cards: with their stored picture, and reasons that name items by their titles."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from django.urls import reverse
from django.utils.http import urlencode

from lepton_platform.portal.access import WorkspaceContext
from recommender.serving.types import RecommendationReason, RecommendedItem
from tenants.data.queries import catalog
from tenants.data.types import ItemView
from tenants.errors import NotFound
from tenants.scope import Scope, scope

_ITEM_REASON_KINDS = ("from_history", "often_together", "similar", "similar_image", "linked")


@dataclass(frozen=True, slots=True)
class ReasonLine:
    text: str
    evidence: list[str]
    contribution: float | None


@dataclass(frozen=True, slots=True)
class ItemCard:
    """`picture` is an address of ours or empty: pictures of other servers are never loaded."""

    item: RecommendedItem
    image_url: str
    reasons: list[ReasonLine]


def build_item_cards(workspace: WorkspaceContext, items: Sequence[RecommendedItem]) -> list[ItemCard]:
    base = reverse("portal:catalogue_image", args=[workspace.tenant.slug])
    with scope(workspace.tenant_ref, actor=workspace.actor) as s:
        known = _load_item_views(s, items)
    return [_build_item_card(item, known, base) for item in items]


def _load_item_views(s: Scope, items: Sequence[RecommendedItem]) -> dict[str, ItemView]:
    """The recommended items and those that the reasons name; what vanished meanwhile is absent."""
    named = {
        one
        for item in items
        for why in item.reasons
        if why.kind in _ITEM_REASON_KINDS
        for one in why.evidence
    }
    found = {}
    for item_id in named | {item.id for item in items}:
        try:
            found[item_id] = catalog.get_item(s, item_id)
        except NotFound:
            continue
    return found


def _build_item_card(item: RecommendedItem, item_views: dict[str, ItemView], image_base_url: str) -> ItemCard:
    view = item_views.get(item.id)
    picture = f"{image_base_url}?{urlencode({'id': item.id})}" if view and view.has_image else ""
    return ItemCard(item, picture, [_build_reason_line(reason, item_views) for reason in item.reasons])


def _build_reason_line(reason: RecommendationReason, item_views: dict[str, ItemView]) -> ReasonLine:
    names = [item_views[one].item.title or one if one in item_views else one for one in reason.evidence]
    return ReasonLine(reason.text, names, reason.contribution)
