from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from recommender.models import ActiveModel, ModelState, ModelVersion
from recommender.registry.types import VersionView, to_version_view
from tenants.errors import NotFound
from tenants.scope import Scope


def list_versions(s: Scope, *, limit: int = 50) -> list[VersionView]:
    """Newest first, refused and corrupt ones included: together they are the history of quality."""
    rows = ModelVersion.objects.filter(tenant_id=s.tenant_id).order_by("-version")
    return [to_version_view(row) for row in rows[:limit]]


def get_version(s: Scope, number: int) -> VersionView:
    """Raises NotFound."""
    row = ModelVersion.objects.filter(tenant_id=s.tenant_id, version=number).first()
    if row is None:
        raise NotFound(f"There is no model version {number}.")
    return to_version_view(row)


def find_version_of_job(s: Scope, job_id: UUID) -> VersionView | None:
    row = ModelVersion.objects.filter(tenant_id=s.tenant_id, job_id=job_id).first()
    return to_version_view(row) if row else None


def get_active_number(s: Scope) -> int | None:
    """What the pointer names now; the `expected` of a compare-and-set."""
    return ActiveModel.objects.filter(tenant_id=s.tenant_id).values_list("version", flat=True).first()


def get_activation_time(s: Scope) -> datetime | None:
    """When the active version became it."""
    return ActiveModel.objects.filter(tenant_id=s.tenant_id).values_list("changed_at", flat=True).first()


def get_active_version(s: Scope) -> VersionView | None:
    number = get_active_number(s)
    return get_version(s, number) if number is not None else None


def get_tuned_settings(s: Scope) -> Mapping[str, Mapping[str, Any]]:
    """By member, what was tuned for this tenant: it stands on the newest version, and goes on to the next."""
    newest = next(iter(list_versions(s, limit=1)), None)
    found = newest.metrics.get("settings") if newest else None
    return found if isinstance(found, dict) else {}


def find_roll_back_target(s: Scope) -> VersionView | None:
    """The newest version before the active one that served and whose files are kept."""
    number = get_active_number(s)
    if number is None:
        return None
    served = ModelVersion.objects.filter(tenant_id=s.tenant_id, state=ModelState.RETIRED, has_artefact=True)
    row = served.filter(version__lt=number).order_by("-version").first()
    return to_version_view(row) if row else None
