"""Erasing a profile so that nothing written at the same moment survives it.

The tombstone commits first; from then on ingest drops what happened before it. Transactions that began earlier
may not have seen it, so deletion waits until they have ended, and then looks whether anything is left.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from tenants import audit
from tenants.data.queries.profiles import derive_profile_key
from tenants.errors import Conflict
from tenants.keys.actions import record_tombstones
from tenants.regions import TenantRef
from tenants.scope import Actor, Scope, scope

WAIT_TIMEOUT = timedelta(seconds=60)
MAX_ROUNDS = 5
AUDIT_VERB = "profile.erase"
TABLES = ("data_timeline", "data_seenitems", "data_review", "data_receipt", "data_profile")
_RECORD = """
INSERT INTO data_tombstone (tenant_id, mark, erased_at) VALUES (%s, %s, %s)
ON CONFLICT (tenant_id, mark) DO UPDATE SET erased_at = greatest(data_tombstone.erased_at, excluded.erased_at)
"""
_COUNT_RECORDS = "UPDATE data_tenantstate SET tombstones = tombstones + %s WHERE tenant_id = %s"
_XID = "SELECT pg_current_xact_id()::text::bigint"
_OLDEST = "SELECT pg_snapshot_xmin(pg_current_snapshot())::text::bigint"
_DELETE = "DELETE FROM {} WHERE tenant_id = %s AND profile_key = %b"
_COUNT_REMAINING = "SELECT count(*) FROM {} WHERE tenant_id = %s AND profile_key = %b"


@dataclass(frozen=True, slots=True)
class ErasureRecord:
    """One line of the ledger. `subject` is what the audit log calls it, once the rows are deleted."""

    hmac: bytes
    erased_at: datetime

    @property
    def subject(self) -> str:
        return f"tombstone:{self.hmac.hex()[:16]}"


@dataclass(frozen=True, slots=True)
class Erasure:
    """`deleted` counts rows by table; later events with a time before `erased_at` are dropped on arrival."""

    erased_at: datetime
    deleted: dict[str, int]


def erase_profile(tenant: TenantRef, profile_id: str, *, actor: Actor) -> Erasure:
    """Removes everything stored under the profile; an unknown one is marked all the same, and again is no error.

    Raises Conflict when older transactions do not end within a minute: the tombstone stands, call again.
    """
    erased_at = datetime.now(UTC)
    with scope(tenant, actor=actor) as s:
        key = derive_profile_key(s, profile_id)
    (mark,) = record_tombstones(tenant, [key], erased_at=erased_at, actor=actor)
    return erase_recorded(tenant, key, ErasureRecord(mark, erased_at), actor=actor)


def erase_recorded(tenant: TenantRef, key: bytes, record: ErasureRecord, *, actor: Actor) -> Erasure:
    """Carries out what the ledger holds already; again is no error. Raises Conflict as `erase_profile`."""
    with scope(tenant, actor=actor) as s:
        marked_in = restore_records(s, [record])
    _wait_for_older_transactions(tenant, marked_in, actor=actor)
    return Erasure(record.erased_at, _delete_all_rows(tenant, key, record, actor=actor))


def _delete_all_rows(tenant: TenantRef, key: bytes, record: ErasureRecord, *, actor: Actor) -> dict[str, int]:
    """Rows deleted by table. A merge that ends meanwhile may put back, under a number that the deletion did not see,
    what it had read before: so the deletion is repeated until nothing is found."""
    deleted: Counter[str] = Counter()
    for _ in range(MAX_ROUNDS):
        with scope(tenant, actor=actor) as s:
            for table in TABLES:
                deleted[table] += s.cursor().execute(_DELETE.format(table), (tenant.id, key)).rowcount
            audit.record_entry(
                s, AUDIT_VERB, record.subject, erased_at=record.erased_at.isoformat(), **deleted
            )
        with scope(tenant, actor=actor) as s:
            left = [
                table for table in TABLES if _fetch_int(s, _COUNT_REMAINING.format(table), tenant.id, key)
            ]
        if not left:
            return dict(deleted)
    raise Conflict(f"Rows of the profile were written meanwhile in {', '.join(left)}; call again.")


def restore_records(s: Scope, records: Sequence[ErasureRecord]) -> int:
    """From the commit on, ingest drops what happened before each mark's time. Returns the transaction's number."""
    with s.cursor() as cursor:
        cursor.executemany(_RECORD, [(s.tenant_id, mark.hmac, mark.erased_at) for mark in records])
    s.cursor().execute(_COUNT_RECORDS, (len(records), s.tenant_id))
    return _fetch_int(s, _XID)


def _wait_for_older_transactions(tenant: TenantRef, recorded_xid: int, *, actor: Actor) -> None:
    deadline = time.monotonic() + WAIT_TIMEOUT.total_seconds()
    while time.monotonic() < deadline:
        with scope(tenant, actor=actor) as s:
            if _fetch_int(s, _OLDEST) > recorded_xid:
                return
        time.sleep(0.02)
    raise Conflict("Older transactions are still running; the erasure is recorded, call again to finish it.")


def _fetch_int(s: Scope, sql: str, *params: object) -> int:
    row = s.cursor().execute(sql, params).fetchone()
    return int(row[0]) if row else 0
