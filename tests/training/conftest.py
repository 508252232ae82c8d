from __future__ import annotations

import pytest

from tenants.regions import TenantRef
from tenants.scope import Actor
from tests.training.tenants import build_popularity_walk, ingest_events, walk_in_order


@pytest.fixture
def sequential_tenant(tenant: TenantRef, actor: Actor) -> TenantRef:
    """A tenant whose next items can be predicted."""
    ingest_events(tenant, actor, walk_in_order)
    return tenant


@pytest.fixture
def random_tenant(tenant: TenantRef, actor: Actor) -> TenantRef:
    """A tenant in which nothing but popularity can be learned."""
    ingest_events(tenant, actor, build_popularity_walk())
    return tenant
