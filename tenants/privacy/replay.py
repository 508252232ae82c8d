"""After the data was restored from a backup: erases again whoever was erased since.

The ledger in the keys database holds HMACs only, so every profile key of the restored rows is walked and its mark
computed. A deletion stands in the data's own audit log with the erasure's time: what the backup already had is
left alone, and so is what a profile that came back has written since. May be stopped at any moment and run again.
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
_COMPLETED = """
SELECT subject, facts->>'erased_at' FROM data_auditentry WHERE tenant_id = %s AND verb = %s
"""


@dataclass(frozen=True, slots=True)
class ReplayResult:
    """`marks` are lines of the ledger, `erased` profiles whose rows had come back, `rows` how many they were."""

    tenant: TenantRef
    recorded: int
    erased: int
    rows: int


def replay_erasures(region: str, *, actor: Actor) -> Iterator[ReplayResult]:
    """One tenant after the other. Nobody should be served from the restored rows until it has ended.

    Raises RegionNotServed, KeyServiceUnavailable, StoreUnavailable, Conflict; what is done stays done.
    """
    require_served(region)
    for found in list_tenants_with_keys(region, actor=actor):
        yield replay_tenant(TenantRef(found, region), actor=actor)


def replay_tenant(tenant: TenantRef, *, actor: Actor) -> ReplayResult:
    marks = [ErasureRecord(*line) for line in list_erasure_times(tenant, actor=actor).items()]
    erased = rows = 0
    if marks and _restore_if_open(tenant, marks, actor=actor):
        for key, mark in _find_restored_profiles(tenant, marks, actor=actor):
            rows += sum(erase_recorded(tenant, key, mark, actor=actor).deleted.values())
            erased += 1
        mark_replayed(tenant, [mark.hmac for mark in marks], actor=actor)
    return ReplayResult(tenant, len(marks), erased, rows)


def _restore_if_open(tenant: TenantRef, records: list[ErasureRecord], *, actor: Actor) -> bool:
    """False for a tenant whose space is not in the backup at all."""
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
    done = {(subject, datetime.fromisoformat(at)) for subject, at in rows if at}
    return {mark.hmac: mark for mark in records if (mark.subject, mark.erased_at) not in done}


def _find_restored_profiles(
    tenant: TenantRef, records: list[ErasureRecord], *, actor: Actor
) -> Iterator[tuple[bytes, ErasureRecord]]:
    """Every profile with rows although it was erased. Whoever iterates erases it before asking for the next."""
    waiting, ring = _find_pending_records(tenant, records, actor=actor), get_keyring(tenant)
    for table in TABLES if waiting else ():
        for key in _iter_profile_keys(tenant, table, actor=actor):
            mark = waiting.get(ring.derive_tombstone(key))
            if mark is not None:
                yield key, mark


def _iter_profile_keys(tenant: TenantRef, table: str, *, actor: Actor) -> Iterator[bytes]:
    after = b""
    while True:
        with scope(tenant, actor=actor) as s:
            page = (
                s.cursor(binary=True).execute(_PAGE.format(table), (tenant.id, after, _PAGE_SIZE)).fetchall()
            )
        yield from (bytes(key) for (key,) in page)
        if len(page) < _PAGE_SIZE:
            return
        after = bytes(page[-1][0])
