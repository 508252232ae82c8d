"""The scopes that an API key can have."""

from __future__ import annotations

READ_SCOPES = frozenset(
    {
        "items:read",
        "profiles:read",
        "recommendations:read",
        "models:read",
        "jobs:read",
        "tenant:read",
    }
)
WRITE_SCOPES = frozenset(
    {
        "items:write",
        "profiles:write",
        "events:write",
        "reviews:write",
        "models:write",
        "jobs:write",
        "tenant:write",
    }
)
API_SCOPES = READ_SCOPES | WRITE_SCOPES
