"""The addresses of the API and their operations. URL patterns and the OpenAPI schema are built from `ROUTES`."""

from __future__ import annotations

from collections.abc import Sequence

from lepton_platform.api.operations import ApiOperation
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
Route = tuple[str, Sequence[ApiOperation]]

# Longer addresses first: an item id may contain slashes, so the pattern of `{item_id}` matches the rest of the path.
ROUTES: tuple[Route, ...] = (
    ("items", (items.list_items, items.upsert_item)),
    ("items/batch", (items.upsert_items,)),
    ("items/{item_id}/similar", (recommendations.find_similar_items,)),
    ("items/{item_id}/image", (images.get_item_image, images.put_item_image, images.remove_item_image)),
    ("items/{item_id}/reviews", (reviews.list_item_reviews,)),
    ("items/{item_id}", (items.get_item, items.retire_item)),
    (
        "profiles/{profile_id}",
        (
            profiles.get_profile,
            profiles.put_profile,
            profiles.patch_profile_attributes,
            profiles.erase_profile_data,
        ),
    ),
    ("events", (events.record_events,)),
    ("reviews", (reviews.record_reviews,)),
    ("recommendations", (recommendations.recommend,)),
    ("models", (models.list_models,)),
    ("models/train", (models.train_model,)),
    ("models/rollback", (models.roll_back_model,)),
    ("models/{version}/promote", (models.promote_model,)),
    ("models/{version}", (models.get_model,)),
    ("knowledge/rules", (knowledge.list_rules, knowledge.put_rules)),
    ("knowledge/triples", (knowledge.list_triples, knowledge.record_triples, knowledge.remove_triples)),
    ("jobs", (jobs.list_jobs,)),
    ("jobs/{job_id}/cancel", (jobs.cancel_job,)),
    ("jobs/{job_id}", (jobs.get_job,)),
    ("tenant", (tenant.get_tenant,)),
    ("tenant/privacy", (tenant.get_privacy, tenant.update_privacy)),
)
