"""How the model in service of a tenant does: levels and shares, no word of what it recommends."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import structlog

from recommender.registry import queries
from recommender.registry.reasons import observed_words, words
from tenants import regions
from tenants.errors import DomainError
from tenants.regions import TenantRef
from tenants.scope import Actor, scope

log = structlog.get_logger(__name__)

_SYSTEM = Actor("system", "staff-dashboard")
_NOTED = ("moved", "drifted")


@dataclass(frozen=True, slots=True)
class ModelHealth:
    """`version` is empty while none serves. `drifting` are the measures that moved; `latest` is why the newest
    version does not serve, or empty."""

    version: str = ""
    trained_at: datetime | None = None
    level: str = ""
    alarm: bool = False
    drifting: tuple[str, ...] = ()
    latest: str = ""


def of(tenant: TenantRef) -> ModelHealth | None:
    """None where the tenant's region does not answer or is not served here."""
    if tenant.region not in regions.served():
        return None
    try:
        with scope(tenant, actor=_SYSTEM) as s:
            active, newest = queries.active(s), next(iter(queries.versions(s, limit=1)), None)
    except DomainError as error:
        log.warning("model_not_read", tenant=str(tenant.id), reason=error.code)
        return None
    latest = words(newest.reasons) or newest.reason if newest is not None else ""
    if active is None:
        return ModelHealth(latest=latest)
    level = str(active.drift.get("level", "unknown"))
    shifts = active.drift.get("shifts", {})
    return ModelHealth(
        version=active.name,
        trained_at=active.trained_at,
        level=observed_words(level),
        alarm=level == "drifted",
        drifting=tuple(observed_words(name) for name, one in shifts.items() if one["level"] in _NOTED),
        latest=latest,
    )
