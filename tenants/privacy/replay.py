"""Replay of erasures after a restore of a data backup: erases profiles that were erased after the backup.

The ledger in the keys database holds tombstones only, so the tombstone of every restored profile key is computed and
looked up. The audit log of the data database records each deletion with the time of its erasure: erasures that the
backup already contains are skipped, so data written by a profile after its erasure is kept. The replay may be
interrupted and repeated.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from tenants.data.queries.tenant_state import is_open
from tenants.keys.actions import mark_replayed
from tenants.keys.queries import get_keyring, list_erasure_times, list_tenants_with_keys
from tenants.privacy.erasure import AUDIT_VERB, TABLES, ErasureRecord, erase_recorded, restore_records
from tenants.regions import TenantRef, require_served
from tenants.scope import Actor, scope

_PAGE_SIZE = 5_000
_PAGE = """
SELECT DISTINCT profile_key FROM {} WHERE tenant_id = %s AND profile_key > %b ORDER BY profile_key LIMIT %s
"""
# Deletions recorded by `erasure._delete_all_rows`.
_COMPLETED = """
SELECT subject, facts->>'erased_at' FROM data_auditentry WHERE tenant_id = %s AND verb = %s
"""


@dataclass(frozen=True, slots=True)
class ReplayResult:
    """`recorded` is the number of ledger entries, `erased` of restored profiles, `rows` of their deleted rows."""

    tenant: TenantRef
    recorded: int
    erased: int
    rows: int


def replay_erasures(region: str, *, actor: Actor) -> Iterator[ReplayResult]:
    """Replays the erasures of all tenants of a region, yielding after each tenant.

    The region should not serve requests until the iterator has ended. Raises RegionNotServed, KeyServiceUnavailable,
    StoreUnavailable, Conflict; erasures done before the error are kept.
    """
    require_served(region)
    for tenant_id in list_tenants_with_keys(region, actor=actor):
        yield replay_tenant(TenantRef(tenant_id, region), actor=actor)


def replay_tenant(tenant: TenantRef, *, actor: Actor) -> ReplayResult:
    """Replays the erasures of one tenant. Raises as `replay_erasures`."""
    erasure_times = list_erasure_times(tenant, actor=actor)
    records = [ErasureRecord(hmac, erased_at) for hmac, erased_at in erasure_times.items()]
    erased = rows = 0
    if records and _restore_if_open(tenant, records, actor=actor):
        for key, record in _find_restored_profiles(tenant, records, actor=actor):
            rows += sum(erase_recorded(tenant, key, record, actor=actor).deleted.values())
            erased += 1
        mark_replayed(tenant, list(erasure_times), actor=actor)
    return ReplayResult(
        tenant=tenant,
        recorded=len(records),
        erased=erased,
        rows=rows,
    )


def _restore_if_open(tenant: TenantRef, records: list[ErasureRecord], *, actor: Actor) -> bool:
    """Writes the tombstones back. Returns False if the backup does not contain the tenant's space."""
    with scope(tenant, actor=actor) as s:
        if not is_open(s):
            return False
        restore_records(s, records)
    return True


def _find_pending_records(
    tenant: TenantRef, records: list[ErasureRecord], *, actor: Actor
) -> dict[bytes, ErasureRecord]:
    with scope(tenant, actor=actor) as s:
        rows = s.cursor().execute(_COMPLETED, (tenant.id, AUDIT_VERB)).fetchall()
    completed = {(subject, datetime.fromisoformat(erased_at)) for subject, erased_at in rows if erased_at}
    pending = {}
    for record in records:
        # The time is compared too: a profile may have been erased again after the backup.
        if (record.subject, record.erased_at) not in completed:
            pending[record.hmac] = record
    return pending


def _find_restored_profiles(
    tenant: TenantRef, records: list[ErasureRecord], *, actor: Actor
) -> Iterator[tuple[bytes, ErasureRecord]]:
    """Yields (profile key, record) of erased profiles that have rows.

    The caller erases each profile before it takes the next, so no profile is yielded for a second table.
    """
    pending = _find_pending_records(tenant, records, actor=actor)
    if not pending:
        return
    keyring = get_keyring(tenant)
    for table in TABLES:
        for key in _iter_profile_keys(tenant, table, actor=actor):
            record = pending.get(keyring.derive_tombstone(key))
            if record is not None:
                yield key, record


def _iter_profile_keys(tenant: TenantRef, table: str, *, actor: Actor) -> Iterator[bytes]:
    after = b""
    while True:
        with scope(tenant, actor=actor) as s:
            cursor = s.cursor(binary=True)
            page = cursor.execute(_PAGE.format(table), (tenant.id, after, _PAGE_SIZE)).fetchall()
        for (key,) in page:
            yield bytes(key)
        if len(page) < _PAGE_SIZE:
            return
        after = bytes(page[-1][0])
