"""A process of one region does not open, run or answer anything of another region."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator
from typing import Any
from uuid import uuid4

import pytest
import redis
from django.conf import settings as django_settings

from lepton_platform.celery import app, region_queue
from lepton_platform.management.isolation.attack import list_operations
from lepton_platform.management.isolation.clients import ClientRequest, InProcessClient
from lepton_platform.management.isolation.tenant_pair import ProbeIds
from lepton_platform.tasks import schedule
from lepton_platform.tasks.scheduler import ServedRegionsScheduler
from recommender.registry import artefacts
from recommender.registry.store import open_folder_store
from tenants import regions
from tenants.control.queries.authentication import clear_api_key_cache
from tenants.data.actions import jobs
from tenants.data.queries import jobs as job_queries
from tenants.errors import DecryptionFailed, RegionNotServed
from tenants.keys.wrapped_keys import get_kms
from tenants.regions import TenantRef
from tenants.scope import Actor, data_ops, keys_ops, keys_scope, scope

PLANES = ("default", "data_cn", "keys_cn", "data_eu", "keys_eu")
_TABLES = """
SELECT c.oid::regclass::text FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind = 'r' AND n.nspname NOT IN ('pg_catalog', 'information_schema')
"""
_DIGEST = "SELECT md5(coalesce(string_agg(md5(t::text), '' ORDER BY md5(t::text)), '')) FROM {} t"
OPENERS: dict[str, Callable[[TenantRef, Actor], Any]] = {
    "data": lambda tenant, actor: scope(tenant, actor=actor).__enter__(),
    "keys": lambda tenant, actor: keys_scope(tenant, actor=actor).__enter__(),
    "data across tenants": lambda tenant, actor: data_ops(
        tenant.region, "x", actor=actor, reason="x"
    ).__enter__(),
    "keys across tenants": lambda tenant, actor: keys_ops(
        tenant.region, "x", actor=actor, reason="x"
    ).__enter__(),
    "database of the data": lambda tenant, _actor: regions.get_data_alias(tenant.region),
    "database of the keys": lambda tenant, _actor: regions.get_keys_alias(tenant.region),
    "object store": lambda tenant, _actor: open_folder_store(tenant.region),
    "key service": lambda tenant, _actor: get_kms(tenant.region),
    "claim of the data": lambda tenant, _actor: regions.derive_scope_key(f"data_{tenant.region}"),
    "claim of the keys": lambda tenant, _actor: regions.derive_scope_key(f"keys_{tenant.region}"),
}


@pytest.fixture
def unserved_tenant(settings: Any, tenant: TenantRef) -> Iterator[TenantRef]:
    """A tenant of `eu` in a process that serves `cn` only."""
    settings.LEPTON_SERVED_REGIONS = ("cn",)
    clear_api_key_cache()
    yield tenant
    clear_api_key_cache()


@pytest.fixture
def compute_state(superuser: Callable[[str], Any]) -> Callable[[], dict[str, str]]:
    """Returns a digest of every table of the control plane and of two regions, and the cache keys."""

    def compute() -> dict[str, str]:
        results: dict[str, str] = {}
        for plane in PLANES:
            connection = superuser(plane)
            for (table,) in connection.execute(_TABLES).fetchall():
                results[f"{plane}.{table}"] = connection.execute(_DIGEST.format(table)).fetchone()[0]
        with redis.Redis.from_url(django_settings.LEPTON_VALKEY_URL) as cache:
            return results | {f"valkey {key!r}": "" for key in cache.scan_iter()}

    return compute


@pytest.mark.parametrize("opener", OPENERS)
def test_nothing_of_another_region_opens(unserved_tenant: TenantRef, actor: Actor, opener: str) -> None:
    with pytest.raises(RegionNotServed):
        OPENERS[opener](unserved_tenant, actor)


def test_every_region_has_a_separate_store(make_tenant: Callable[..., TenantRef]) -> None:
    tenants = {region: make_tenant(region=region) for region in ("cn", "eu")}
    for tenant in tenants.values():
        artefacts.write_artefact(tenant, uuid4(), {"weights": secrets.token_bytes(99)})
    for region, tenant in tenants.items():
        folders = {code: open_folder_store(code).list_folders("models") for code in ("cn", "eu")}
        assert [code for code, names in folders.items() if str(tenant.id) in names] == [region]


def test_the_root_key_of_one_region_does_not_unwrap_keys_of_another(services: Any) -> None:
    blob = get_kms("cn").wrap(b"k" * 32, context={"use": "test"})
    assert get_kms("cn").unwrap(blob, context={"use": "test"}) == b"k" * 32
    with pytest.raises(DecryptionFailed):
        get_kms("eu").unwrap(blob, context={"use": "test"})


@pytest.mark.proof(row=28)
def test_a_key_of_another_region_gets_421_from_every_operation_and_leaves_no_trace(
    unserved_tenant: TenantRef,
    api: Callable[..., Any],
    compute_state: Callable[[], dict[str, str]],
    figure: Callable[..., bool],
) -> None:
    client, in_process_client = api(unserved_tenant), InProcessClient()
    before = compute_state()
    requests = [
        operation.build_request(ProbeIds("i", "p", str(uuid4()), "1"))
        for operation in list_operations(in_process_client)
    ]
    responses = [in_process_client(request, key=client.key) for request in requests]
    served = [response.status for response in responses if response.status != 421]
    assert figure(
        "operations that answer a key of another region", len(served), of=len(requests), passes=not served
    )
    assert len(requests) > 20
    after = compute_state()
    changed = {name for name in before | after if before.get(name) != after.get(name)}
    assert figure("tables and cache keys it changed", len(changed), of=len(before), passes=not changed), (
        changed
    )


def test_the_same_key_is_served_and_leaves_traces_in_its_own_region_only(
    tenant: TenantRef, api: Callable[..., Any], compute_state: Callable[[], dict[str, str]]
) -> None:
    before = compute_state()
    request = ClientRequest("POST", "/api/v1/items", b'{"id": "mug", "title": "Mug"}')
    assert InProcessClient()(request, key=api(tenant).key).status < 300
    after = compute_state()
    changed = {name for name in after if before.get(name) != after[name]}
    assert "data_eu.data_item" in changed
    assert {name for name in changed if "_cn." in name} == set()


@pytest.mark.parametrize("name", sorted(schedule.TASK_INTERVALS))
def test_a_task_of_another_region_is_refused(unserved_tenant: TenantRef, name: str) -> None:
    app.loader.import_default_modules()
    with pytest.raises(RegionNotServed):
        app.tasks[name].run(region=unserved_tenant.region)


def test_a_training_of_another_region_is_refused_and_stays_queued(
    tenant: TenantRef, actor: Actor, settings: Any
) -> None:
    app.loader.import_default_modules()
    with scope(tenant, actor=actor) as s:
        job = jobs.request_job(s, "train", parameters={"profile": "fast"})
    served, settings.LEPTON_SERVED_REGIONS = settings.LEPTON_SERVED_REGIONS, ("cn",)
    with pytest.raises(RegionNotServed):
        app.tasks["lepton.train"].run(tenant_id=str(tenant.id), job_id=str(job.id), region=tenant.region)
    settings.LEPTON_SERVED_REGIONS = served
    with scope(tenant, actor=actor) as s:
        assert job_queries.get_job(s, job.id).state == "queued"


def test_beat_sends_to_served_regions_only_though_all_share_one_schedule(
    database: None, settings: Any
) -> None:
    for region in ("cn", "eu"):
        settings.LEPTON_SERVED_REGIONS = (region,)
        entries = schedule.build_schedule_entries()
        beat = ServedRegionsScheduler(app=app, lazy=True)
        beat.update_from_dict(entries)
        assert {entry.options["queue"] for entry in beat.all_as_schedule().values()} == {region_queue(region)}
