"""What each scope of a key allows, in words for those who make keys and those who read the schema."""

from __future__ import annotations

from collections.abc import Collection

from tenants.errors import Forbidden

SCOPE_DESCRIPTIONS = {
    "items:read": "Read the catalogue, its images and reviews, and similar items",
    "items:write": "Add, change and retire items",
    "profiles:read": "Read profiles",
    "profiles:write": "Add, change and erase profiles",
    "events:write": "Record events",
    "reviews:write": "Record reviews",
    "recommendations:read": "Ask for recommendations",
    "models:read": "Read models, their quality, rules and knowledge",
    "models:write": "Train, promote and roll back models; state rules and knowledge",
    "jobs:read": "Read jobs",
    "jobs:write": "Cancel jobs",
    "tenant:read": "Read the tenant's settings and limits",
    "tenant:write": "Change privacy settings",
}


def require_scope(granted: Collection[str], required: str) -> None:
    """Raises Forbidden."""
    if required not in granted:
        raise Forbidden(f"This key lacks the scope {required}.")
