"""Without the keys database every call reports it, nothing is partly written and no lost key is replaced."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from recommender.registry import artefacts
from recommender.training.job_runner import run_training_job
from tenants.control import queries as directory
from tenants.crypto import Purpose
from tenants.data.queries import jobs
from tenants.errors import Conflict, KeyServiceUnavailable, NotFound
from tenants.keys.actions import rotate_purpose_key, rotate_tenant_kek
from tenants.keys.queries import forget_keyring, get_keyring
from tenants.privacy.erasure import erase_profile
from tenants.privacy.onboarding import finish_opening
from tenants.regions import TenantRef
from tenants.scope import Actor, control_scope, scope
from tests.restore.backups import DatabaseBackups
from tests.restore.profiles import QuerySql, create_profiles
from tests.training.tenants import request_training

API_CALLS: dict[str, Callable[[Any], Any]] = {
    "list items": lambda api: api.get("/api/v1/items"),
    "read an item": lambda api: api.get("/api/v1/items/mug"),
    "write an item": lambda api: api.post("/api/v1/items", {"id": "cup", "title": "Cup"}),
    "write items": lambda api: api.post("/api/v1/items/batch", {"items": [{"id": "cup", "title": "Cup"}]}),
    "retire an item": lambda api: api.delete("/api/v1/items/mug"),
    "ingest": lambda api: api.post(
        "/api/v1/events", {"events": [{"profile_id": "ann", "item_id": "mug", "kind": "view"}]}
    ),
    "review": lambda api: api.post(
        "/api/v1/reviews", {"reviews": [{"item_id": "mug", "profile_id": "ann", "text": "again"}]}
    ),
    "read a profile": lambda api: api.get("/api/v1/profiles/ann"),
    "write a profile": lambda api: api.put("/api/v1/profiles/bob", {"attributes": {"town": "B"}}),
    "erase a profile": lambda api: api.delete("/api/v1/profiles/ann"),
    "recommend": lambda api: api.post("/api/v1/recommendations", {"profile_id": "ann", "k": 3}),
}
SELECT_CONTENT = "SELECT t::text FROM {} t WHERE tenant_id = %s ORDER BY 1"
TABLES = (
    *("data_item", "data_profile", "data_timeline", "data_seenitems", "data_review", "data_receipt"),
    *("data_tombstone", "data_batchdigest", "data_counterdelta", "data_idempotency", "data_auditentry"),
)
KEY_TABLES = (
    "keys_tenantkey",
    "keys_purposekey",
    "keys_erasureledgerentry",
    "keys_shredcertificate",
    "keys_auditentry",
)


@pytest.fixture
def tenant_with_profile(tenant: TenantRef, actor: Actor) -> TenantRef:
    create_profiles(tenant, ["ann"], actor)
    return tenant


@pytest.fixture
def keys_lost(tenant_with_profile: TenantRef, backups: DatabaseBackups) -> Iterator[None]:
    """Deletes all rows of the region's keys database, of all tenants, and restores them after the test."""
    dump = backups.dump_database("keys_eu")
    backups.truncate_tables("keys_eu", KEY_TABLES)
    forget_keyring(tenant_with_profile)
    yield
    backups.restore_database("keys_eu", dump)
    forget_keyring(tenant_with_profile)


def load_data_rows(query_sql: QuerySql, tenant: TenantRef) -> list[list[tuple[Any, ...]]]:
    return [query_sql("data_eu", SELECT_CONTENT.format(table), tenant.id) for table in TABLES]


def count_key_rows(query_sql: QuerySql, tenant: TenantRef) -> int:
    count = "SELECT count(*) FROM {} WHERE tenant_id = %s"
    return sum(query_sql("keys_eu", count.format(table), tenant.id)[0][0] for table in KEY_TABLES)


@pytest.mark.proof(row=11)
def test_every_call_answers_503_and_nothing_is_written(
    tenant_with_profile: TenantRef,
    api: Callable[..., Any],
    query_sql: QuerySql,
    keys_lost: None,
    figure: Callable[..., bool],
) -> None:
    client, before = api(tenant_with_profile), load_data_rows(query_sql, tenant_with_profile)
    responses = {name: call(client) for name, call in API_CALLS.items()}
    results = {name: (answer.status_code, answer.json()["code"]) for name, answer in responses.items()}
    other = {name: result for name, result in results.items() if result != (503, "key_service_unavailable")}
    assert figure(
        "calls without keys that answer other than 503", len(other), of=len(results), passes=not other
    ), other
    assert all(int(answer["Retry-After"]) > 0 for answer in responses.values())
    assert load_data_rows(query_sql, tenant_with_profile) == before
    assert count_key_rows(query_sql, tenant_with_profile) == 0


def test_restored_keys_restore_the_service(
    tenant_with_profile: TenantRef, api: Callable[..., Any], backups: DatabaseBackups
) -> None:
    client, dump = api(tenant_with_profile), backups.dump_database("keys_eu")
    before = client.get("/api/v1/profiles/ann").json()
    backups.truncate_tables("keys_eu", KEY_TABLES)
    forget_keyring(tenant_with_profile)
    assert client.get("/api/v1/profiles/ann").status_code == 503
    backups.restore_database("keys_eu", dump)
    assert client.get("/api/v1/profiles/ann").json() == before


def test_no_keys_are_created_for_a_tenant_with_lost_keys(
    tenant_with_profile: TenantRef, query_sql: QuerySql, keys_lost: None, actor: Actor
) -> None:
    with control_scope(tenant_with_profile.id, actor=actor) as s:
        tenant_row = directory.get_tenant(s)
    with pytest.raises(Conflict, match="keys are lost"):
        finish_opening(tenant_row, owner=None, actor=actor)
    for change in (rotate_tenant_kek, lambda t, actor: rotate_purpose_key(t, Purpose.REVIEW, actor=actor)):
        with pytest.raises(NotFound, match="no keys"):
            change(tenant_with_profile, actor=actor)
    assert count_key_rows(query_sql, tenant_with_profile) == 0


def test_an_erasure_without_keys_is_refused_and_writes_nothing(
    tenant_with_profile: TenantRef, query_sql: QuerySql, keys_lost: None, actor: Actor
) -> None:
    before = load_data_rows(query_sql, tenant_with_profile)
    with pytest.raises(KeyServiceUnavailable):
        erase_profile(tenant_with_profile, "ann", actor=actor)
    assert load_data_rows(query_sql, tenant_with_profile) == before


def test_a_training_without_keys_publishes_nothing_and_waits_for_its_next_lease(
    tenant_with_profile: TenantRef, query_sql: QuerySql, keys_lost: None, actor: Actor
) -> None:
    job_id = request_training(tenant_with_profile, actor)
    run_training_job(tenant_with_profile, job_id, owner="w1", actor=actor)
    with scope(tenant_with_profile, actor=actor) as s:
        assert jobs.get_job(s, job_id).state == "running"
    published = "SELECT count(*) FROM recommender_modelversion WHERE tenant_id = %s"
    assert query_sql("data_eu", published, tenant_with_profile.id) == [(0,)]
    assert artefacts.list_artefact_folders(tenant_with_profile) == []


def test_a_new_tenant_can_be_opened_while_other_keys_are_lost(
    keys_lost: None, make_tenant: Callable[..., TenantRef], actor: Actor
) -> None:
    new_tenant = make_tenant()
    create_profiles(new_tenant, ["bob"], actor)
    assert len(get_keyring(new_tenant).derive_pseudonym("uid", "bob")) == 16
