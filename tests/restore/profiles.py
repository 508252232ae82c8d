"""Creates profiles with rows in every table that has a profile key."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from uuid_utils.compat import uuid7

from tenants.data.actions import catalog, profiles
from tenants.data.actions.events import record_events
from tenants.data.actions.merge import merge_profiles
from tenants.data.actions.receipts import INSERT_RECEIPT, build_receipt_row
from tenants.data.actions.reviews import record_reviews
from tenants.data.queries.profiles import derive_profile_key
from tenants.data.types import EventInput, ItemInput, ProfileInput, ReviewInput
from tenants.keys.queries import get_keyring
from tenants.privacy.erasure import TABLES
from tenants.regions import TenantRef
from tenants.scope import Actor, scope

QuerySql = Callable[..., list[tuple[Any, ...]]]
BEFORE_ERASURE = datetime.now(UTC) - timedelta(hours=1)


def create_profiles(tenant: TenantRef, names: list[str], actor: Actor) -> None:
    with scope(tenant, actor=actor) as s:
        catalog.upsert_items(s, [ItemInput(id="mug", title="Mug")])
        profiles.upsert_profiles(s, [ProfileInput(id=name, attributes={"town": name}) for name in names])
        record_reviews(s, [ReviewInput(item_id="mug", profile_id=name, text=name) for name in names])
    for number in range(2):
        with scope(tenant, actor=actor) as s:
            record_events(s, [build_view_event(name, BEFORE_ERASURE, f"{name}-{number}") for name in names])
    with scope(tenant, actor=actor) as s:
        for name in names:
            key = derive_profile_key(s, name)
            merge_profiles(s, [key])
            s.cursor().execute(INSERT_RECEIPT, build_receipt_row(s, uuid7(), key, {"items": [1]}))
    with scope(tenant, actor=actor) as s:
        record_events(s, [build_view_event(name, BEFORE_ERASURE, f"{name}-late") for name in names])


def build_view_event(name: str, at: datetime, event_id: str) -> EventInput:
    return EventInput(item_id="mug", kind="view", profile_id=name, at=at, id=event_id)


def count_rows(query_sql: QuerySql, tenant: TenantRef, names: list[str]) -> int:
    """The number of rows of these profiles in all tables, without row-level security."""
    keys = get_keyring(tenant).derive_pseudonyms("uid", names)
    sql = "SELECT count(*) FROM {} WHERE tenant_id = %s AND profile_key = ANY(%s)"
    return sum(query_sql("data_eu", sql.format(table), tenant.id, keys)[0][0] for table in TABLES)


def load_rows(query_sql: QuerySql, tenant: TenantRef, names: list[str]) -> list[list[tuple[Any, ...]]]:
    """The rows of these profiles in all tables, as stored."""
    keys = get_keyring(tenant).derive_pseudonyms("uid", names)
    sql = "SELECT t::text FROM {} t WHERE tenant_id = %s AND profile_key = ANY(%s) ORDER BY 1"
    return [query_sql("data_eu", sql.format(table), tenant.id, keys) for table in TABLES]
