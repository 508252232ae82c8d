"""Takes a version back by itself when what follows its answers has dropped beyond chance. See evaluation/live.py."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import structlog

from recommender.evaluation.decisions.online_monitoring import (
    InterimAnalysis,
    OnlineTestConfig,
    run_interim_analysis,
)
from recommender.monitoring import outcomes
from recommender.registry import actions, queries
from recommender.registry.types import VersionView
from tenants.errors import Conflict, NotFound
from tenants.regions import TenantRef
from tenants.scope import Actor, scope

log = structlog.get_logger(__name__)

COMPARISON_WINDOW = timedelta(days=28)
DEFAULT_CONFIG = OnlineTestConfig()


@dataclass(frozen=True, slots=True)
class VersionPair:
    """The version in service, the one to return to, and since when the first serves."""

    active: VersionView
    previous: VersionView
    activated_at: datetime


def check_active_version(
    tenant: TenantRef, *, actor: Actor, config: OnlineTestConfig = DEFAULT_CONFIG
) -> InterimAnalysis | None:
    """Looks once at the version in service; None where there is nothing to compare it with.

    A version that was taken back before and promoted by a person is left to that person. Running twice is harmless:
    the pointer moves by compare-and-set, and a look that was taken is not taken again.
    """
    pair = _find_version_pair(tenant, actor)
    if pair is None:
        return None
    now, before = outcomes.load_served_recommendations(
        tenant,
        (pair.active.name, pair.previous.name),
        activated_at=pair.activated_at,
        comparison_window=COMPARISON_WINDOW,
        attribution_window=config.attribution_window,
        actor=actor,
    )
    taken = pair.active.live.get("look", 0) if pair.active.live.get("against") == pair.previous.name else 0
    found = run_interim_analysis(now, before, last_analysis=int(taken), config=config)
    try:
        with scope(tenant, actor=actor) as s:
            if found.degraded:
                reasons = found.to_reasons(pair.previous.name)
                actions.roll_back(s, expected=pair.active.version, reasons=reasons)
            actions.record_observation(s, pair.active.version, live=_serialize_analysis(pair, found))
    except (Conflict, NotFound) as error:
        log.info("roll_back_overtaken", tenant=str(tenant.id), reason=error.code)
    return found


def _find_version_pair(tenant: TenantRef, actor: Actor) -> VersionPair | None:
    with scope(tenant, actor=actor) as s:
        now, before, since = (
            queries.get_active_version(s),
            queries.find_roll_back_target(s),
            queries.get_activation_time(s),
        )
    if now is None or before is None or since is None or now.live.get("rolled_back"):
        return None
    return VersionPair(now, before, since)


def _serialize_analysis(pair: VersionPair, analysis: InterimAnalysis) -> Mapping[str, Any]:
    return {
        "against": pair.previous.name,
        "look": analysis.number,
        "answers": analysis.n_current,
        "baseline_recommendations": analysis.n_previous,
        "rates": {name: list(rates) for name, rates in analysis.rates.items()},
        "dropped": list(analysis.degraded),
        "rolled_back": bool(analysis.degraded),
        "checked_at": datetime.now(UTC).isoformat(),
    }
