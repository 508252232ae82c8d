from __future__ import annotations

from collections.abc import Iterator

import pytest

from lepton_platform.embedded.services import EmbeddedServices
from recommender.serving.snapshot import cache
from recommender.training.job_runner import run_training_job
from tenants.regions import TenantRef
from tenants.scope import Actor
from tests.platform.tenants import open_test_tenant
from tests.training.tenants import ingest_events, request_training, walk_in_order


@pytest.fixture(autouse=True)
def stop_snapshot_loading() -> Iterator[None]:
    """Empties the snapshot cache and stops its threads after every test."""
    yield
    cache.stop_snapshot_cache()


@pytest.fixture(scope="session")
def trained_tenant(services: EmbeddedServices, actor: Actor) -> TenantRef:
    """A tenant with a trained model. Tests may add data to it; they must not train it."""
    tenant = open_test_tenant(actor=actor)
    ingest_events(tenant, actor, walk_in_order)
    run_training_job(tenant, request_training(tenant, actor), owner="w1", actor=actor)
    return tenant


@pytest.fixture
def loaded_tenant(trained_tenant: TenantRef, database: None) -> TenantRef:
    """The trained tenant, with its snapshot loaded in this process."""
    cache.get_snapshot_cache().refresh_now(trained_tenant)
    return trained_tenant
