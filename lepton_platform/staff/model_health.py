"""How the model in service of a tenant does: levels and shares, no word of what it recommends."""

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

_SYSTEM = Actor("system", "staff-dashboard")
_SHIFTED_LEVELS = ("moved", "drifted")


@dataclass(frozen=True, slots=True)
class ModelHealth:
    """`version` is empty while none serves. `drifting` are the measures that moved; `latest` is why the newest
    version does not serve, or empty."""

    version: str = ""
    trained_at: datetime | None = None
    level: str = ""
    has_drifted: bool = False
    shifted_measures: tuple[str, ...] = ()
    not_serving_reason: str = ""


def load_model_health(tenant: TenantRef) -> ModelHealth | None:
    """None where the tenant's region does not answer or is not served here."""
    if tenant.region not in regions.list_served():
        return None
    try:
        with scope(tenant, actor=_SYSTEM) as s:
            active, newest = (
                queries.get_active_version(s),
                next(iter(queries.list_versions(s, limit=1)), None),
            )
    except DomainError as error:
        log.warning("model_not_read", tenant=str(tenant.id), reason=error.code)
        return None
    latest = translate_reasons(newest.reasons) or newest.reason if newest is not None else ""
    if active is None:
        return ModelHealth(not_serving_reason=latest)
    level = str(active.drift.get("level", "unknown"))
    shifts = active.drift.get("shifts", {})
    return ModelHealth(
        version=active.name,
        trained_at=active.trained_at,
        level=translate_signal_name(level),
        has_drifted=level == "drifted",
        shifted_measures=tuple(
            translate_signal_name(name) for name, one in shifts.items() if one["level"] in _SHIFTED_LEVELS
        ),
        not_serving_reason=latest,
    )
