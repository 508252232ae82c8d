"""The export of a profile contains all data stored about it and no data of other profiles."""

from __future__ import annotations

import io
import json
from datetime import UTC, datetime, timedelta

import pytest
from django.apps import apps
from django.core.management import call_command

from recommender.serving.recommend import recommend
from recommender.serving.snapshot import cache
from recommender.serving.types import RecommendRequest
from tenants.base import TenantModel
from tenants.control.queries import list_tenants
from tenants.data.actions import catalog, profiles
from tenants.data.actions.events import record_events
from tenants.data.actions.reviews import record_reviews
from tenants.data.types import EventInput, ItemInput, ProfileInput, ReviewInput
from tenants.lifecycle import ErasurePolicy, ExportPolicy
from tenants.privacy.erasure import TABLES, erase_profile
from tenants.privacy.export import EXPORTERS, export_profile
from tenants.scope import control_ops, scope

AT = datetime.now(UTC).replace(microsecond=0) - timedelta(hours=1)


def list_tables(**policies) -> set[str]:
    models = [model for model in apps.get_models() if issubclass(model, TenantModel)]
    return {
        model._meta.db_table
        for model in models
        if all(getattr(model.lifecycle, name) == value for name, value in policies.items())
    }


def send_data(tenant, actor, profile_id: str) -> None:
    with scope(tenant, actor=actor) as s:
        catalog.upsert_items(s, [ItemInput(id="mug", title="Mug")])
        profiles.upsert_profiles(s, [ProfileInput(id=profile_id, attributes={"town": "Delft"})])
        record_events(
            s, [EventInput(item_id="mug", kind="view", profile_id=profile_id, at=AT, price=2.5, value=None)]
        )
        record_reviews(s, [ReviewInput(item_id="mug", profile_id=profile_id, text="good", id=profile_id)])
    recommend(tenant, RecommendRequest(profile_id=profile_id), actor=actor)


@pytest.fixture
def tenant_with_ann(tenant, actor):
    for name in ("ann", "bob"):
        send_data(tenant, actor, name)
    yield tenant
    cache.stop_snapshot_cache()


def test_every_kind_of_row_is_exported(tenant_with_ann, actor):
    lines = {line["type"]: line for line in export_profile(tenant_with_ann, "ann", actor=actor)}
    assert lines["profile"]["attributes"] == {"town": "Delft"}
    event = {"type": "event", "item_id": "mug", "kind": "view", "price": 2.5}
    assert lines["event"] == {**event, "at": AT.isoformat(timespec="milliseconds")}
    assert (lines["review"]["text"], lines["review"]["item_id"]) == ("good", "mug")
    assert "items" in lines["recommendation"]


def test_rows_of_other_profiles_are_not_exported(tenant_with_ann, actor):
    assert "bob" not in json.dumps(export_profile(tenant_with_ann, "ann", actor=actor))


def test_an_unknown_profile_has_no_lines(tenant_with_ann, actor):
    assert export_profile(tenant_with_ann, "carl", actor=actor) == []


def test_after_an_erasure_there_is_nothing_to_export(tenant_with_ann, actor):
    erase_profile(tenant_with_ann, "ann", actor=actor)
    assert export_profile(tenant_with_ann, "ann", actor=actor) == []


def test_a_stranger_exports_nothing(tenant_with_ann, stranger_tenant, actor):
    assert export_profile(stranger_tenant, "ann", actor=actor) == []


def test_exporters_match_the_declared_lifecycles():
    assert set(EXPORTERS) == list_tables(export=ExportPolicy.WITH_PROFILE)


def test_erased_tables_match_the_declared_lifecycles():
    assert set(TABLES) == list_tables(erase=ErasurePolicy.WITH_PROFILE)


def test_the_command_writes_json_lines(tenant_with_ann, actor, tmp_path):
    with control_ops("test", actor=actor, reason="slug of a tenant") as s:
        slug = next(view.slug for view in list_tenants(s) if view.id == tenant_with_ann.id)
    out = tmp_path / "ann.jsonl"
    call_command("export_profile", tenant=slug, profile_id="ann", out=out, stdout=io.StringIO())
    assert [json.loads(line)["type"] for line in out.read_text().splitlines()] == [
        *("profile", "event", "review", "recommendation")
    ]
