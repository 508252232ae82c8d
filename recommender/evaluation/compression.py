"""What serving in fewer bytes costs, measured on hidden events; what would cost too much is served as it was trained."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from recommender.algorithms.base import Recommender
from recommender.algorithms.blend import Blend
from recommender.algorithms.ensemble import Ensemble
from recommender.algorithms.memory import held_bytes
from recommender.dataset import Split
from recommender.evaluation.measure import measure_blend
from recommender.evaluation.metrics import gains

LIMIT = 0.01
MOST_CASES = 4_000

Members = Mapping[str, Recommender[Any]]


def choose(members: Members, blend: Blend, split: Split, *, k: int, limit: float = LIMIT) -> dict[str, Any]:
    """Which blended members are served compressed, and what that costs: what stands in card["compression"].

    All of them, unless the blend loses more than `limit` of its nDCG@k. Then the member that loses most alone is kept
    as trained, and so on until the loss is within the limit. At most MOST_CASES cases are asked, without the second
    stage, which has learned from them."""
    split = split.sample(MOST_CASES, np.random.default_rng(0))
    counted = {name: member for name, member in members.items() if blend.weights.get(name)}
    small = {name: member.compressed() for name, member in counted.items()}
    before = _ndcg(counted, blend, split, k)
    chosen = set(counted)
    after = _ndcg(small, blend, split, k)
    alone: dict[str, float] = {}
    while chosen and after < before * (1 - limit):
        alone = alone or {name: _ndcg(counted | {name: small[name]}, blend, split, k) for name in counted}
        chosen.remove(min(chosen, key=lambda name: alone[name]))
        after = _ndcg(counted | {name: small[name] for name in chosen}, blend, split, k)
    return {
        "cases": len(split),
        "limit": limit,
        f"ndcg@{k}_before": before,
        f"ndcg@{k}_after": after,
        "members": {name: {"compressed": name in chosen} for name in counted},
    }


def compressed(ensemble: Ensemble) -> Ensemble:
    """The ensemble as it is served: the members chosen in its card in fewer bytes, the others as they are.

    Its card says for each member how large its files and its arrays in memory were and are."""
    card = ensemble.card.get("compression") or {}
    told: dict[str, Any] = {}
    members = dict(ensemble.members)
    for name, member in ensemble.members.items():
        if card.get("members", {}).get(name, {}).get("compressed"):
            members[name] = member.compressed()
        told[name] = _sizes(member, members[name])
    if not card:
        return ensemble
    return replace(
        ensemble, members=members, card={**ensemble.card, "compression": {**card, "members": told}}
    )


def _sizes(before: Recommender[Any], after: Recommender[Any]) -> dict[str, Any]:
    return {
        "compressed": _file_bytes(after) < _file_bytes(before),
        "bytes_before": _file_bytes(before),
        "bytes_after": _file_bytes(after),
        "held_before": held_bytes(before),
        "held_after": held_bytes(after),
    }


def _file_bytes(member: Recommender[Any]) -> int:
    return sum(map(len, member.to_files().values()))


def _ndcg(members: Members, blend: Blend, split: Split, k: int) -> float:
    ranks = measure_blend(members, blend, split, k=k)["blend"].all_ranks()
    return float(gains(ranks, k).mean()) if len(ranks) else 0.0
