from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from recommender.models import ActiveModel, ModelState, ModelVersion
from recommender.registry.types import VersionView, view
from tenants.errors import NotFound
from tenants.scope import Scope


def versions(s: Scope, *, limit: int = 50) -> list[VersionView]:
    """Newest first, refused and corrupt ones included: together they are the history of quality."""
    rows = ModelVersion.objects.filter(tenant_id=s.tenant_id).order_by("-version")
    return [view(row) for row in rows[:limit]]


def version(s: Scope, number: int) -> VersionView:
    """Raises NotFound."""
    row = ModelVersion.objects.filter(tenant_id=s.tenant_id, version=number).first()
    if row is None:
        raise NotFound(f"There is no model version {number}.")
    return view(row)


def of_job(s: Scope, job_id: UUID) -> VersionView | None:
    row = ModelVersion.objects.filter(tenant_id=s.tenant_id, job_id=job_id).first()
    return view(row) if row else None


def active_number(s: Scope) -> int | None:
    """What the pointer names now; the `expected` of a compare-and-set."""
    return ActiveModel.objects.filter(tenant_id=s.tenant_id).values_list("version", flat=True).first()


def serving_since(s: Scope) -> datetime | None:
    """When the active version became it."""
    return ActiveModel.objects.filter(tenant_id=s.tenant_id).values_list("changed_at", flat=True).first()


def active(s: Scope) -> VersionView | None:
    number = active_number(s)
    return version(s, number) if number is not None else None


def settings(s: Scope) -> Mapping[str, Mapping[str, Any]]:
    """By member, what was tuned for this tenant: it stands on the newest version, and goes on to the next."""
    newest = next(iter(versions(s, limit=1)), None)
    found = newest.metrics.get("settings") if newest else None
    return found if isinstance(found, dict) else {}


def roll_back_target(s: Scope) -> VersionView | None:
    """The newest version before the active one that served and whose files are kept."""
    number = active_number(s)
    if number is None:
        return None
    served = ModelVersion.objects.filter(tenant_id=s.tenant_id, state=ModelState.RETIRED, kept=True)
    row = served.filter(version__lt=number).order_by("-version").first()
    return view(row) if row else None
