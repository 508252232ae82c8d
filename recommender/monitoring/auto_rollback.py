"""Rolls the active version back if users' responses to its answers became significantly worse.

The statistics are in `recommender.evaluation.decisions.online_monitoring`.
"""

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


@dataclass(
    frozen=True,
    slots=True,
)
class VersionPair:
    """The active version, the version to roll back to, and when the first became active."""

    active: VersionView
    previous: VersionView
    activated_at: datetime


def check_active_version(
    tenant: TenantRef, *, actor: Actor, config: OnlineTestConfig = DEFAULT_CONFIG
) -> InterimAnalysis | None:
    """Runs the next interim analysis of the active version, and rolls it back if it is degraded.

    A version that was rolled back before and then promoted by a person is not analysed. Running twice is harmless: the pointer moves
    by compare-and-set, and an analysis is done once.

    Returns:
        The analysis; None if there is no version to compare with.
    """
    pair = _find_version_pair(tenant, actor)
    if pair is None:
        return None
    served = outcomes.load_served_recommendations(
        tenant,
        outcomes.ComparedVersions(pair.active.name, pair.previous.name, pair.activated_at),
        comparison_window=COMPARISON_WINDOW,
        attribution_window=config.attribution_window,
        actor=actor,
    )
    analysis = run_interim_analysis(
        served.current,
        served.previous,
        last_analysis=_get_last_analysis(pair),
        config=config,
    )
    try:
        with scope(tenant, actor=actor) as s:
            if analysis.degraded:
                reasons = analysis.to_reasons(pair.previous.name)
                actions.roll_back(
                    s,
                    expected=pair.active.version,
                    reasons=reasons,
                )
            observation = _serialize_analysis(pair, analysis)
            actions.record_observation(s, pair.active.version, live=observation)
    except (Conflict, NotFound) as error:
        log.info(
            "roll_back_overtaken",
            tenant=str(tenant.id),
            reason=error.code,
        )
    return analysis


def _find_version_pair(tenant: TenantRef, actor: Actor) -> VersionPair | None:
    with scope(tenant, actor=actor) as s:
        active = queries.get_active_version(s)
        previous = queries.find_roll_back_target(s)
        activated_at = queries.get_activation_time(s)
    if active is None or previous is None or activated_at is None:
        return None
    # A person promoted it after the roll-back; monitoring does not overrule that.
    if active.live.get("rolled_back"):
        return None
    return VersionPair(active, previous, activated_at)


def _get_last_analysis(pair: VersionPair) -> int:
    """The number of the last analysis against the same version; 0 if there was none."""
    if pair.active.live.get("baseline_version") != pair.previous.name:
        return 0
    return int(pair.active.live.get("analysis", 0))


def _serialize_analysis(pair: VersionPair, analysis: InterimAnalysis) -> Mapping[str, Any]:
    """The JSON of `ModelVersion.live`; `rates` are pairs of the active and the previous version's rate."""
    return {
        "baseline_version": pair.previous.name,
        "analysis": analysis.number,
        "recommendations": analysis.n_current,
        "baseline_recommendations": analysis.n_previous,
        "rates": {name: list(rates) for name, rates in analysis.rates.items()},
        "dropped": list(analysis.degraded),
        "rolled_back": bool(analysis.degraded),
        "checked_at": datetime.now(UTC).isoformat(),
    }
