"""State of a tenant's active model for staff: version, drift levels and refusal reasons, no recommended items."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import structlog

from recommender.registry import queries
from recommender.registry.reasons import translate_reasons, translate_signal_name
from tenants import regions
from tenants.errors import DomainError
from tenants.regions import TenantRef
from tenants.scope import Actor, scope

log = structlog.get_logger(__name__)

# Read on every page view, so it is not recorded as an access by a member of staff.
_SYSTEM = Actor("system", "staff-dashboard")
_SHIFTED_LEVELS = ("moved", "drifted")


@dataclass(frozen=True, slots=True)
class ModelHealth:
    """The active version and its drift.

    `version` is empty if no version is active. `shifted_measures` are the measures with a raised drift level.
    `not_serving_reason` is why the newest version was not activated; empty if it was.
    """

    version: str = ""
    trained_at: datetime | None = None
    level: str = ""
    has_drifted: bool = False
    shifted_measures: tuple[str, ...] = ()
    not_serving_reason: str = ""


def load_model_health(tenant: TenantRef) -> ModelHealth | None:
    """Returns the state, or None if the region's database is unreachable or not served by this installation."""
    if tenant.region not in regions.list_served():
        return None
    try:
        with scope(tenant, actor=_SYSTEM) as s:
            active = queries.get_active_version(s)
            newest = queries.list_versions(s, limit=1)
    except DomainError as error:
        log.warning("model_not_read", tenant=str(tenant.id), reason=error.code)
        return None
    not_serving_reason = ""
    if newest:
        not_serving_reason = translate_reasons(newest[0].reasons) or newest[0].reason
    if active is None:
        return ModelHealth(not_serving_reason=not_serving_reason)
    level = str(active.drift.get("level", "unknown"))
    shifted_measures = []
    for name, shift in active.drift.get("shifts", {}).items():
        if shift["level"] in _SHIFTED_LEVELS:
            shifted_measures.append(translate_signal_name(name))
    return ModelHealth(
        version=active.name,
        trained_at=active.trained_at,
        level=translate_signal_name(level),
        has_drifted=level == "drifted",
        shifted_measures=tuple(shifted_measures),
        not_serving_reason=not_serving_reason,
    )
