"""Reads model versions and the pointer to the active one."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from recommender.models import ActiveModel, ModelState, ModelVersion
from recommender.registry.types import VersionView, to_version_view
from tenants.errors import NotFound
from tenants.scope import Scope


def list_versions(s: Scope, *, limit: int = 50) -> list[VersionView]:
    """Newest first. Refused and corrupt versions are included: together they are the history of model quality."""
    rows = ModelVersion.objects.filter(tenant_id=s.tenant_id).order_by("-version")
    return [to_version_view(row) for row in rows[:limit]]


def find_newest_version(s: Scope) -> VersionView | None:
    """The version of the last training, whatever its state."""
    return next(iter(list_versions(s, limit=1)), None)


def get_version(s: Scope, number: int) -> VersionView:
    """Raises NotFound."""
    row = ModelVersion.objects.filter(
        tenant_id=s.tenant_id,
        version=number,
    ).first()
    if row is None:
        raise NotFound(f"There is no model version {number}.")
    return to_version_view(row)


def find_version_of_job(s: Scope, job_id: UUID) -> VersionView | None:
    """The version that a training job published or had refused."""
    row = ModelVersion.objects.filter(
        tenant_id=s.tenant_id,
        job_id=job_id,
    ).first()
    return to_version_view(row) if row else None


def get_active_number(s: Scope) -> int | None:
    """The version that the pointer names; use it as `expected` of a compare-and-set."""
    return ActiveModel.objects.filter(tenant_id=s.tenant_id).values_list("version", flat=True).first()


def get_activation_time(s: Scope) -> datetime | None:
    """When the active version became active."""
    return ActiveModel.objects.filter(tenant_id=s.tenant_id).values_list("changed_at", flat=True).first()


def get_active_version(s: Scope) -> VersionView | None:
    """The version that serves, or None."""
    number = get_active_number(s)
    return None if number is None else get_version(s, number)


def get_tuned_settings(s: Scope) -> dict[str, dict[str, Any]]:
    """By model name, the hyper-parameters that were tuned for this tenant.

    Each version stores the settings it was trained with, so the newest version has those of the last search.
    """
    newest = find_newest_version(s)
    return {} if newest is None else newest.parsed_metrics.settings


def find_roll_back_target(s: Scope) -> VersionView | None:
    """The newest version before the active one that has served and whose files exist."""
    number = get_active_number(s)
    if number is None:
        return None
    retired = ModelVersion.objects.filter(
        tenant_id=s.tenant_id,
        state=ModelState.RETIRED,
        has_artefact=True,
    )
    row = retired.filter(version__lt=number).order_by("-version").first()
    return to_version_view(row) if row else None
