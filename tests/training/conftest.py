from __future__ import annotations

import pytest

from tenants.regions import TenantRef
from tenants.scope import Actor
from tests.training.tenants import by_fashion, feed, in_order


@pytest.fixture
def walkers(tenant: TenantRef, actor: Actor) -> TenantRef:
    """A tenant whose next items can be learned."""
    feed(tenant, actor, in_order)
    return tenant


@pytest.fixture
def noise(tenant: TenantRef, actor: Actor) -> TenantRef:
    """A tenant whose next items cannot, beyond what is popular."""
    feed(tenant, actor, by_fashion())
    return tenant
