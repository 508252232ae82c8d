"""Artefact folders that no version names: left by a worker that died between writing and publishing."""

from __future__ import annotations

import time
from uuid import UUID

from recommender.models import ModelVersion
from recommender.registry import artefacts
from tenants.regions import TenantRef
from tenants.scope import Actor, scope

MIN_AGE_SECONDS = 24 * 3600


def remove_orphaned_artefacts(tenant: TenantRef, *, actor: Actor) -> int:
    """Removes those older than a day, by the time in their name; returns how many."""
    found = artefacts.list_artefact_folders(tenant)
    if not found:
        return 0
    with scope(tenant, actor=actor) as s:
        named = ModelVersion.objects.filter(tenant_id=s.tenant_id, has_artefact=True)
        kept = {str(one) for one in named.values_list("artefact_id", flat=True)}
    gone = [name for name in found if name not in kept and _compute_age_seconds(name) > MIN_AGE_SECONDS]
    for name in gone:
        artefacts.remove_artefact_folder(tenant, name)
    return len(gone)


def _compute_age_seconds(name: str) -> float:
    """The first 48 bits of a UUIDv7 are milliseconds of Unix time."""
    try:
        made_at = (UUID(name.removesuffix(".part")).int >> 80) / 1000
    except ValueError:
        return 0.0
    return time.time() - made_at
