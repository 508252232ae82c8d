"""The scopes of an API key, described for those who create keys and those who read the schema."""

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
    "recommendations:read": "Request recommendations",
    "models:read": "Read models, their quality, rules and triples",
    "models:write": "Train, promote and roll back models; replace rules and record triples",
    "jobs:read": "Read jobs",
    "jobs:write": "Cancel jobs",
    "tenant:read": "Read the tenant's settings and limits",
    "tenant:write": "Change privacy settings",
}


def require_scope(granted: Collection[str], required: str) -> None:
    """Raises Forbidden if `required` is not among the key's scopes."""
    if required not in granted:
        raise Forbidden(f"This key lacks the scope {required}.")
