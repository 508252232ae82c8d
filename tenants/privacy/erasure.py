"""Erasure of a profile, safe against concurrent writes.

1. The tombstone is committed. Ingest of later transactions drops events from before its time.
2. Transactions that began earlier may not have seen the tombstone: wait until they have ended.
3. Delete the profile's rows, and repeat until none are left.
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
# Ingest looks up tombstones only if this counter is not 0.
_COUNT_RECORDS = "UPDATE data_tenantstate SET tombstones = tombstones + %s WHERE tenant_id = %s"
# xmin of a snapshot is the oldest transaction that was still running: once it is larger than the transaction that wrote the
# tombstone, every running transaction sees it.
_XID = "SELECT pg_current_xact_id()::text::bigint"
_OLDEST = "SELECT pg_snapshot_xmin(pg_current_snapshot())::text::bigint"
_DELETE = "DELETE FROM {} WHERE tenant_id = %s AND profile_key = %b"
_COUNT_REMAINING = "SELECT count(*) FROM {} WHERE tenant_id = %s AND profile_key = %b"


@dataclass(frozen=True, slots=True)
class ErasureRecord:
    """An entry of the erasure ledger. `hmac` is the tombstone."""

    hmac: bytes
    erased_at: datetime

    @property
    def subject(self) -> str:
        """The subject of the audit entry about the deletion."""
        return f"tombstone:{self.hmac.hex()[:16]}"


@dataclass(frozen=True, slots=True)
class Erasure:
    """The result of an erasure: `deleted` counts rows by table. Ingest drops events from before `erased_at`."""

    erased_at: datetime
    deleted: dict[str, int]


def erase_profile(tenant: TenantRef, profile_id: str, *, actor: Actor) -> Erasure:
    """Deletes everything stored under the profile. Idempotent; an unknown profile gets a tombstone too.

    Raises Conflict if older transactions do not end within a minute; the tombstone remains, and a repeated call
    finishes the erasure.
    """
    erased_at = datetime.now(UTC)
    with scope(tenant, actor=actor) as s:
        key = derive_profile_key(s, profile_id)
    (tombstone,) = record_tombstones(tenant, [key], erased_at=erased_at, actor=actor)
    return erase_recorded(tenant, key, ErasureRecord(tombstone, erased_at), actor=actor)


def erase_recorded(
    tenant: TenantRef,
    key: bytes,
    record: ErasureRecord,
    *,
    actor: Actor,
) -> Erasure:
    """Performs an erasure that is in the ledger. Idempotent. Raises Conflict as `erase_profile`."""
    with scope(tenant, actor=actor) as s:
        recorded_xid = restore_records(s, [record])
    _wait_for_older_transactions(tenant, recorded_xid, actor=actor)
    deleted = _delete_all_rows(tenant, key, record, actor=actor)
    return Erasure(record.erased_at, deleted)


def _delete_all_rows(
    tenant: TenantRef,
    key: bytes,
    record: ErasureRecord,
    *,
    actor: Actor,
) -> dict[str, int]:
    """Deletes the profile's rows and returns their number by table.

    A concurrent merge can write chunks it had read before under a new sequence number, which the DELETE does not see.
    So the deletion is repeated until no rows are left.
    """
    deleted: Counter[str] = Counter()
    for _ in range(MAX_ROUNDS):
        with scope(tenant, actor=actor) as s:
            for table in TABLES:
                deleted[table] += s.cursor().execute(_DELETE.format(table), (tenant.id, key)).rowcount
            erased_at = record.erased_at.isoformat()
            audit.record_entry(
                s,
                AUDIT_VERB,
                record.subject,
                erased_at=erased_at,
                **deleted,
            )
        remaining_tables = _find_remaining_tables(tenant, key, actor=actor)
        if not remaining_tables:
            return dict(deleted)
    raise Conflict(
        f"Rows of the profile were written meanwhile in {', '.join(remaining_tables)}; call again."
    )


def _find_remaining_tables(tenant: TenantRef, key: bytes, *, actor: Actor) -> list[str]:
    tables = []
    with scope(tenant, actor=actor) as s:
        for table in TABLES:
            if _fetch_int(s, _COUNT_REMAINING.format(table), tenant.id, key):
                tables.append(table)
    return tables


def restore_records(s: Scope, records: Sequence[ErasureRecord]) -> int:
    """Writes tombstones into the data database; after the commit ingest drops older events. Returns the transaction id."""
    rows = [(s.tenant_id, record.hmac, record.erased_at) for record in records]
    with s.cursor() as cursor:
        cursor.executemany(_RECORD, rows)
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
