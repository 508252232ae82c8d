"""Recommended items as cards, with their stored image and with reasons that name items by their titles."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from django.urls import reverse
from django.utils.http import urlencode

from lepton_platform.portal.access import WorkspaceContext
from recommender.serving.types import RecommendationReason, RecommendedItem
from tenants.data.queries import catalog
from tenants.data.types import ItemView
from tenants.errors import NotFound
from tenants.scope import Scope, scope

# The evidence of these kinds are item ids; that of the other kinds are names of rules, categories or aspects.
_ITEM_REASON_KINDS = ("from_history", "often_together", "similar", "similar_image", "linked")


@dataclass(frozen=True, slots=True)
class ReasonLine:
    """A reason with the titles of the items it refers to. `contribution` is its fraction of the item's score."""

    text: str
    evidence: list[str]
    contribution: float | None


@dataclass(frozen=True, slots=True)
class ItemCard:
    """`image_url` is an address of this server, or empty: images of other servers are never loaded."""

    item: RecommendedItem
    image_url: str
    reasons: list[ReasonLine]


def build_item_cards(workspace: WorkspaceContext, items: Sequence[RecommendedItem]) -> list[ItemCard]:
    """Returns a card for each item, in the same order."""
    image_base_url = reverse("portal:catalogue_image", args=[workspace.tenant.slug])
    with scope(workspace.tenant_ref, actor=workspace.actor) as s:
        item_views = _load_item_views(s, items)
    return [_build_item_card(item, item_views, image_base_url) for item in items]


def _load_item_views(s: Scope, items: Sequence[RecommendedItem]) -> dict[str, ItemView]:
    """Loads the recommended items and the items of their reasons. Items that were erased meanwhile are omitted."""
    item_ids = {item.id for item in items}
    for item in items:
        for reason in item.reasons:
            if reason.kind in _ITEM_REASON_KINDS:
                item_ids.update(reason.evidence)
    item_views = {}
    for item_id in item_ids:
        try:
            item_views[item_id] = catalog.get_item(s, item_id)
        except NotFound:
            continue
    return item_views


def _build_item_card(
    item: RecommendedItem, item_views: Mapping[str, ItemView], image_base_url: str
) -> ItemCard:
    view = item_views.get(item.id)
    image_url = ""
    if view and view.has_image:
        image_url = f"{image_base_url}?{urlencode({'id': item.id})}"
    return ItemCard(
        item=item,
        image_url=image_url,
        reasons=[_build_reason_line(reason, item_views) for reason in item.reasons],
    )


def _build_reason_line(reason: RecommendationReason, item_views: Mapping[str, ItemView]) -> ReasonLine:
    names = []
    for evidence in reason.evidence:
        view = item_views.get(evidence)
        title = view.item.title if view else None
        names.append(title or evidence)
    return ReasonLine(text=reason.text, evidence=names, contribution=reason.contribution)
