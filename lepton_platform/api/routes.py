"""Every address and its operations. URL patterns and OpenAPI schema are both made from `ROUTES`."""

from __future__ import annotations

from collections.abc import Sequence

from lepton_platform.api.operations import Operation
from lepton_platform.api.v1 import (
    events,
    images,
    items,
    jobs,
    knowledge,
    models,
    profiles,
    recommendations,
    reviews,
    tenant,
)

PREFIX = "/api/v1/"
Route = tuple[str, Sequence[Operation]]

# Longer addresses first: an item's id may hold slashes, so its pattern takes the rest of the path.
ROUTES: tuple[Route, ...] = (
    ("items", (items.index, items.upsert)),
    ("items/batch", (items.upsert_batch,)),
    ("items/{item_id}/similar", (recommendations.similar,)),
    ("items/{item_id}/image", (images.get, images.put, images.remove)),
    ("items/{item_id}/reviews", (reviews.index,)),
    ("items/{item_id}", (items.get, items.retire)),
    ("profiles/{profile_id}", (profiles.get, profiles.put, profiles.patch, profiles.erase)),
    ("events", (events.record,)),
    ("reviews", (reviews.record,)),
    ("recommendations", (recommendations.recommend,)),
    ("models", (models.index,)),
    ("models/train", (models.train,)),
    ("models/rollback", (models.roll_back,)),
    ("models/{version}/promote", (models.promote,)),
    ("models/{version}", (models.get,)),
    ("knowledge/rules", (knowledge.rules, knowledge.put_rules)),
    ("knowledge/triples", (knowledge.triples, knowledge.record_triples, knowledge.remove_triples)),
    ("jobs", (jobs.index,)),
    ("jobs/{job_id}/cancel", (jobs.cancel,)),
    ("jobs/{job_id}", (jobs.get,)),
    ("tenant", (tenant.get,)),
    ("tenant/privacy", (tenant.get_privacy, tenant.change_privacy)),
)
