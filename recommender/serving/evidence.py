"""Why an item stands in a list, in words, computed from the scores that put it there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

import msgspec
import numpy as np
from django.utils.translation import gettext as _

from recommender.algorithms.content import Content
from recommender.algorithms.ensemble import ORDERED
from recommender.algorithms.knowledge import Knowledge
from recommender.algorithms.look import Look
from recommender.algorithms.popularity import Popularity
from recommender.algorithms.reputation import Reputation
from recommender.serving import praise
from recommender.serving.influence import LATEST, LINKS, Doubles, Influence, influence, likeness
from recommender.serving.ready import Ready
from recommender.serving.scoring import Ranking, Slots
from recommender.serving.types import Reason
from tenants.data.queries import catalog
from tenants.data.types import ItemInput, StoredItem
from tenants.scope import Scope

_NAMED = 3
_LEAST_SHARE = 0.05
Mine = Mapping[int, ItemInput]


class Shown(Protocol):
    @property
    def slot(self) -> int: ...
    @property
    def stored(self) -> StoredItem: ...


def reasons(s: Scope, ready: Ready, ranking: Ranking, shown: Sequence[Shown]) -> list[list[Reason]]:
    """For each shown item its reasons, the greatest share of the score first; shares below 5% are left out.

    `share` is a part of the positive addends of the blended score; None where the stage has no such sum.
    """
    mine = _own_items(s, ready, ranking.history[-LATEST:])
    ruled = [_ruled(ranking, one.slot) for one in shown]
    said = [praise.reasons(ready, one.stored.item_no) for one in shown]
    if not ranking.members or not shown:
        linked = _by_what_they_are(ready, ranking, shown, mine)
        return [
            [*rule, *link, *_by_stage(ranking, one.stored.item, mine, stated=bool(rule or link)), *heard]
            for one, rule, link, heard in zip(shown, ruled, linked, said, strict=True)
        ]
    why = influence(ready, ranking, [one.slot for one in shown])
    return [
        [
            *_with_praise(_by_model(why, place, one.stored.item, mine), said[place], _counts(why, place)),
            *ruled[place],
        ]
        for place, one in enumerate(shown)
    ]


def _own_items(s: Scope, ready: Ready, slots: Slots) -> Mine:
    """The history's items by slot."""
    numbers = dict(zip(ready.columns.item_no[slots].tolist(), slots.tolist(), strict=True))
    rows = catalog.items_by_number(s, list(numbers)) if numbers else {}
    return {numbers[number]: row.item for number, row in rows.items()}


def _by_model(why: Influence, place: int, item: ItemInput, mine: Mine) -> list[Reason]:
    addends = {name: max(float(values[place]), 0.0) for name, values in why.members.items()}
    total = sum(addends.values())
    if total <= 0:
        return _alike(item, mine, None) or [Reason("similar", _("Closest to what you chose lately"), [])]
    links = sum(addends.get(name, 0.0) for name in LINKS) / total
    found = _chosen_together(why, place, mine, links)
    if (share := addends.get(Content.name, 0.0) / total) >= _LEAST_SHARE:
        found += _similar(why, place, mine, share) + _alike(item, mine, None)
    if (share := addends.get(Look.name, 0.0) / total) >= _LEAST_SHARE:
        found += _looks_like(_strongest(why.events, why.likeness[Look.name][:, place], mine), round(share, 3))
    if (share := addends.get(Knowledge.name, 0.0) / total) >= _LEAST_SHARE:
        found += _linked(
            _strongest(why.events, why.likeness[Knowledge.name][:, place], mine), round(share, 3)
        )
    if (share := sum(addends.get(name, 0.0) for name in ORDERED) / total) >= _LEAST_SHARE:
        found.append(Reason("pattern", _("Fits the order of your latest choices"), [], round(share, 3)))
    if (share := addends.get(Popularity.name, 0.0) / total) >= _LEAST_SHARE:
        found.append(Reason("popular", _("Chosen by many"), [], round(share, 3)))
    return sorted(found, key=lambda reason: -(reason.share or 0.0))


def _counts(why: Influence, place: int) -> float:
    """The share of the score that what reviews say adds."""
    addends = {name: max(float(values[place]), 0.0) for name, values in why.members.items()}
    return addends.get(Reputation.name, 0.0) / max(sum(addends.values()), 1e-12)


def _with_praise(found: list[Reason], said: list[Reason], share: float) -> list[Reason]:
    """The first praise carries the share where it has one; praise that added nothing comes last, as a fact."""
    if said and share >= _LEAST_SHARE:
        said = [msgspec.structs.replace(said[0], share=round(share, 3)), *said[1:]]
    return sorted([*found, *said], key=lambda reason: -(reason.share or 0.0))


def _ruled(ranking: Ranking, slot: int) -> list[Reason]:
    """The rules that raised this item."""
    ids = [one.id for one in ranking.applied if one.weight > 0 and one.slots[slot]][:_NAMED]
    return [Reason("rule", _("The shop's own rule"), ids)] if ids else []


def _by_what_they_are(
    ready: Ready, ranking: Ranking, shown: Sequence[Shown], mine: Mine
) -> list[list[Reason]]:
    """By shown item, the own items with which it is linked by what the tenant stated, and those it looks like."""
    found: list[list[Reason]] = [[] for _ in shown]
    if ranking.stage not in ("content", "knowledge") or not mine or not shown:
        return found
    events, slots = ranking.history[-LATEST:], np.array([one.slot for one in shown])
    for name, reason in ((Knowledge.name, _linked), (Look.name, _looks_like)):
        if name in ready.describing:
            worth = likeness(ready, ready.describing[name], events, slots)
            for place, reasons in enumerate(found):
                reasons.extend(reason(_strongest(events, worth[:, place], mine), None))
    return found


def _linked(evidence: list[str], share: float | None) -> list[Reason]:
    return [Reason("linked", _("Linked with what you chose"), evidence, share)] if evidence else []


def _looks_like(evidence: list[str], share: float | None) -> list[Reason]:
    return [Reason("looks_like", _("Looks like what you chose"), evidence, share)] if evidence else []


def _by_stage(ranking: Ranking, item: ItemInput, mine: Mine, *, stated: bool) -> list[Reason]:
    if ranking.stage == "knowledge":
        return _alike(item, mine, None) or (
            [] if stated else [Reason("recent", _("New in the catalogue"), [])]
        )
    if ranking.stage == "content":
        common = _alike(item, mine, None)
        return common if common or stated else [Reason("similar", _("Closest to what you chose lately"), [])]
    if ranking.stage == "popular":
        return [Reason("popular", _("Chosen by many"), [])]
    return [Reason("recent", _("New in the catalogue"), [])]


def _chosen_together(why: Influence, place: int, mine: Mine, share: float) -> list[Reason]:
    evidence = _strongest(why.events, why.links[:, place], mine)
    if not evidence or share < _LEAST_SHARE:
        return []
    return [Reason("because_of", _("Often chosen with or after what you chose"), evidence, round(share, 3))]


def _similar(why: Influence, place: int, mine: Mine, share: float) -> list[Reason]:
    evidence = _strongest(why.events, why.likeness[Content.name][:, place], mine)
    return [Reason("similar", _("Similar to what you chose"), evidence, round(share, 3))] if evidence else []


def _strongest(events: Slots, worth: Doubles, mine: Mine) -> list[str]:
    """Ids of the own items with the greatest worth above zero."""
    order = [e for e in np.argsort(-worth).tolist() if worth[e] > 0 and int(events[e]) in mine]
    return list(dict.fromkeys(mine[int(events[e])].id for e in order))[:_NAMED]


def _alike(item: ItemInput, mine: Mine, share: float | None) -> list[Reason]:
    """Categories, tags and brand that the item has in common with the history."""
    own = {name for other in mine.values() for name in _labels(other)}
    common = [name for name in _labels(item) if name in own][:_NAMED]
    return [Reason("shared", _("In common with what you chose"), common, share)] if common else []


def _labels(item: ItemInput) -> list[str]:
    """The most specific first: paths are stated from general to special."""
    return [*([item.brand] if item.brand else []), *item.tags, *reversed(item.categories)]
