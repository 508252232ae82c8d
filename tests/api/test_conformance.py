"""Schemathesis reads the published schema and holds every operation to it, with a key and without."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import schemathesis
from django.core.wsgi import get_wsgi_application
from hypothesis import HealthCheck, settings
from schemathesis.config import SchemathesisConfig

from tenants.regions import TenantRef

CHECKS = {
    # A well-formed request may name an unknown item or loosen privacy: no schema says what a tenant holds.
    "positive_data_acceptance": {"enabled": False},
    "negative_data_rejection": {"expected-statuses": [400, 401, 404, 405, 409, 413, 415, 422]},
}
# A batch with one bad row is taken: 200, and the row stands in `rejected` (tests/api/test_events.py).
BATCHES = {
    "include-operation-id": ["upsert_items", "record_events", "record_reviews"],
    "checks": {
        "negative_data_rejection": {"expected-statuses": [200, 400, 401, 404, 405, 409, 413, 415, 422]}
    },
}
SHORT = settings(
    max_examples=3, deadline=None, database=None, derandomize=True, suppress_health_check=list(HealthCheck)
)

# A video's bytes are sent as they are, like an image's.
schemathesis.serializer.alias(["video/mp4", "video/webm"], "application/octet-stream")

schema = schemathesis.openapi.from_wsgi(
    "/api/schema",
    app=get_wsgi_application(),
    config=SchemathesisConfig.from_dict({"checks": CHECKS, "operations": [BATCHES]}),
)


@pytest.fixture
def key(api: Callable[..., Any], make_tenant: Callable[..., TenantRef]) -> str:
    return str(api(make_tenant(plan="enterprise")).key)


@schema.parametrize()
@SHORT
def test_every_answer_is_as_the_schema_says(case: Any, key: str) -> None:
    """`call_and_validate` raises for whatever CHECKS finds; the last line is for a set of checks that went missing."""
    answer = case.call_and_validate(headers={"Authorization": f"Bearer {key}"})
    assert answer.status_code < 500
