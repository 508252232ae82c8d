from __future__ import annotations

from collections.abc import Iterator

import pytest

from lepton_platform.embedded.services import EmbeddedServices
from recommender.serving.snapshot import cache
from recommender.training.job_runner import run_training_job
from tenants.regions import TenantRef
from tenants.scope import Actor
from tests.platform.tenants import open_test_tenant
from tests.training.tenants import feed, in_order, order_training


@pytest.fixture(autouse=True)
def nothing_in_memory() -> Iterator[None]:
    """No tenant is held, and nothing loads, behind a test."""
    yield
    cache.stop_snapshot_cache()


@pytest.fixture(scope="session")
def trained(services: EmbeddedServices, actor: Actor) -> TenantRef:
    """A tenant of its own whose next items were learned; tests may add to it and not train it."""
    tenant = open_test_tenant(actor=actor)
    feed(tenant, actor, in_order)
    run_training_job(tenant, order_training(tenant, actor), owner="w1", actor=actor)
    return tenant


@pytest.fixture
def walkers(trained: TenantRef, database: None) -> TenantRef:
    """The trained tenant, loaded in this process."""
    cache.get_snapshot_cache().refresh_now(trained)
    return trained
