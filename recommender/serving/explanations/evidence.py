"""Evidence of reasons: items of the history, attributes in common, and the texts of each kind of reason."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop

from recommender.serving.content_scoring import SlotArray
from recommender.serving.explanations.attribution import Float64Array
from recommender.serving.snapshot.tenant_snapshot import TenantSnapshot
from recommender.serving.types import ReasonKind, RecommendationReason
from tenants.data.queries import catalog
from tenants.data.types import ItemInput
from tenants.scope import Scope

MAX_EVIDENCE = 3
_TEXTS: Mapping[ReasonKind, str] = {
    "from_history": gettext_noop("Often chosen with or after what you chose"),
    "similar": gettext_noop("Similar to what you chose"),
    "similar_image": gettext_noop("Looks like what you chose"),
    "linked": gettext_noop("Linked with what you chose"),
    "pattern": gettext_noop("Fits the order of your latest choices"),
    "popular": gettext_noop("Chosen by many"),
    "recent": gettext_noop("New in the catalogue"),
    "rule": gettext_noop("The tenant's own rule"),
    "shared": gettext_noop("In common with what you chose"),
}
HistoryItems = Mapping[int, ItemInput]
"""The items of a history by slot."""


def load_history_items(s: Scope, snapshot: TenantSnapshot, history: SlotArray) -> HistoryItems:
    """The history's items by slot."""
    numbers = snapshot.catalogue.item_numbers[history].tolist()
    slot_by_number = dict(zip(numbers, history.tolist(), strict=True))
    if not slot_by_number:
        return {}
    # Titles and labels are not in memory: the snapshot holds only what filters need.
    rows = catalog.load_items_by_number(s, list(slot_by_number))
    return {slot_by_number[number]: row.item for number, row in rows.items()}


def select_strongest(events: SlotArray, strength: Float64Array, history_items: HistoryItems) -> list[str]:
    """Ids of at most MAX_EVIDENCE items of the history with the greatest strength above zero."""
    # A dict, because it keeps the order and drops the ids of items that occur twice in the history.
    ids: dict[str, None] = {}
    for event in np.argsort(-strength).tolist():
        item = history_items.get(int(events[event]))
        if strength[event] > 0 and item is not None:
            ids[item.id] = None
    return list(ids)[:MAX_EVIDENCE]


def explain_shared_attributes(item: ItemInput, history_items: HistoryItems) -> list[RecommendationReason]:
    """Categories, tags and brand that the item has in common with the history."""
    history_labels: set[str] = set()
    for history_item in history_items.values():
        history_labels.update(_list_labels(history_item))
    shared = [label for label in _list_labels(item) if label in history_labels]
    if not shared:
        return []
    return [build_reason("shared", shared[:MAX_EVIDENCE])]


def _list_labels(item: ItemInput) -> list[str]:
    """The most specific first; category paths are stored from general to specific."""
    brand = [item.brand] if item.brand else []
    return [*brand, *item.tags, *reversed(item.categories)]


def build_reason(
    kind: ReasonKind, evidence: Sequence[str] = (), contribution: float | None = None
) -> RecommendationReason:
    """A reason of a kind, with its text in the reader's language; `contribution` is a fraction of the score."""
    return RecommendationReason(
        kind,
        _(_TEXTS[kind]),
        list(evidence),
        contribution,
    )


def build_closest_reason() -> RecommendationReason:
    """The reason of an item that was ranked by content, but has no attribute in common with the history."""
    return RecommendationReason("similar", _("Closest to what you chose lately"), [])
