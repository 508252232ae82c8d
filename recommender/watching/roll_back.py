"""Takes a version back by itself when what follows its answers has dropped beyond chance. See evaluation/live.py."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import structlog

from recommender.evaluation.live import Look, WatchConfig, look
from recommender.registry import actions, queries
from recommender.registry.types import VersionView
from recommender.watching import feedback
from tenants.errors import Conflict, NotFound
from tenants.regions import TenantRef
from tenants.scope import Actor, scope

log = structlog.get_logger(__name__)

WINDOW = timedelta(days=28)
CONFIG = WatchConfig()


@dataclass(frozen=True, slots=True)
class Pair:
    """The version in service, the one to return to, and since when the first serves."""

    now: VersionView
    before: VersionView
    since: datetime


def check(tenant: TenantRef, *, actor: Actor, config: WatchConfig = CONFIG) -> Look | None:
    """Looks once at the version in service; None where there is nothing to compare it with.

    A version that was taken back before and promoted by a person is left to that person. Running twice is harmless:
    the pointer moves by compare-and-set, and a look that was taken is not taken again.
    """
    pair = _pair(tenant, actor)
    if pair is None:
        return None
    now, before = feedback.answers(
        tenant,
        (pair.now.name, pair.before.name),
        turned_at=pair.since,
        window=WINDOW,
        within=config.followed_within,
        actor=actor,
    )
    taken = pair.now.live.get("look", 0) if pair.now.live.get("against") == pair.before.name else 0
    found = look(now, before, taken=int(taken), config=config)
    try:
        with scope(tenant, actor=actor) as s:
            if found.dropped:
                reasons = found.reasons(pair.before.name)
                actions.roll_back(s, expected=pair.now.version, reasons=reasons)
            actions.note(s, pair.now.version, live=_noted(pair, found))
    except (Conflict, NotFound) as error:
        log.info("roll_back_overtaken", tenant=str(tenant.id), reason=error.code)
    return found


def _pair(tenant: TenantRef, actor: Actor) -> Pair | None:
    with scope(tenant, actor=actor) as s:
        now, before, since = queries.active(s), queries.roll_back_target(s), queries.serving_since(s)
    if now is None or before is None or since is None or now.live.get("taken_back"):
        return None
    return Pair(now, before, since)


def _noted(pair: Pair, found: Look) -> Mapping[str, Any]:
    return {
        "against": pair.before.name,
        "look": found.number,
        "answers": found.answers,
        "answers_before": found.before,
        "rates": {name: list(rates) for name, rates in found.rates.items()},
        "dropped": list(found.dropped),
        "taken_back": bool(found.dropped),
        "checked_at": datetime.now(UTC).isoformat(),
    }
