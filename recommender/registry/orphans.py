"""Removes artefact folders that no version names; a worker that dies between writing and publishing leaves them."""

from __future__ import annotations

import time
from uuid import UUID

from recommender.models import ModelVersion
from recommender.registry import artefacts
from tenants.regions import TenantRef
from tenants.scope import Actor, scope

# Younger folders may belong to a training that is about to publish.
MIN_AGE_SECONDS = 24 * 3600


def remove_orphaned_artefacts(tenant: TenantRef, *, actor: Actor) -> int:
    """Removes folders without a version that are older than a day; returns their number."""
    folders = artefacts.list_artefact_folders(tenant)
    if not folders:
        return 0
    with scope(tenant, actor=actor) as s:
        versions = ModelVersion.objects.filter(
            tenant_id=s.tenant_id,
            has_artefact=True,
        )
        referenced = {str(artefact_id) for artefact_id in versions.values_list("artefact_id", flat=True)}
    n_removed = 0
    for folder in folders:
        if folder not in referenced and _compute_age_seconds(folder) > MIN_AGE_SECONDS:
            artefacts.remove_artefact_folder(tenant, folder)
            n_removed += 1
    return n_removed


def _compute_age_seconds(folder: str) -> float:
    """Zero for a name that is not an artefact's."""
    try:
        artefact_id = UUID(folder.removesuffix(".part"))
    except ValueError:
        return 0.0
    # The first 48 of the 128 bits of a UUIDv7 are milliseconds of Unix time.
    created_at = (artefact_id.int >> 80) / 1000
    return time.time() - created_at
