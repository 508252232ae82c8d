"""Answers given to an Idempotency-Key, sealed, for a day. One effect for each key and tenant."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import ClassVar

from tenants.crypto import BoundCipher, Purpose
from tenants.errors import DomainError
from tenants.keys.queries import keyring
from tenants.scope import Scope

KEPT_FOR = timedelta(hours=24)

_LOCK = "SELECT pg_try_advisory_xact_lock(%s)"
_FIND = """
SELECT request_digest, status, body FROM data_idempotency
WHERE tenant_id = %s AND key_digest = %s AND created_at > now() - %s AND status IS NOT NULL
"""
_RESERVE = """
INSERT INTO data_idempotency (tenant_id, key_digest, request_digest, status, body, created_at, finished_at)
VALUES (%s, %s, %s, NULL, NULL, now(), NULL)
ON CONFLICT (tenant_id, key_digest) DO UPDATE
SET request_digest = excluded.request_digest, status = NULL, body = NULL, created_at = now(),
    finished_at = NULL
"""
# An answer that was given is found again after a crash, also where its work alone need not wait for the disk.
_FINISH = """
WITH durable AS MATERIALIZED (SELECT set_config('synchronous_commit', 'on', true))
UPDATE data_idempotency SET status = %s, body = %s, finished_at = now() FROM durable
WHERE tenant_id = %s AND key_digest = %s AND request_digest = %s
"""


class KeyReused(DomainError):
    """This Idempotency-Key was used with another request."""

    code: ClassVar[str] = "idempotency_key_reused"


@dataclass(frozen=True, slots=True)
class Entry:
    """A key that this transaction has reserved."""

    key_digest: bytes
    request_digest: bytes


@dataclass(frozen=True, slots=True)
class Stored:
    """The answer that was given."""

    status: int
    body: bytes


class Busy:
    """Another request with this key is being worked on."""


def begin(s: Scope, key: str, request_digest: bytes) -> Entry | Stored | Busy:
    """Reserves the key until the scope ends: work, answer and reservation commit together or not at all.

    Raises KeyReused for another request.
    """
    digest = keyring(s.ref).pseudonym("idempotency", key)
    # The lock makes the second of two simultaneous requests say so instead of waiting for the first.
    if not _value(s, _LOCK, (int.from_bytes(digest[:8], "big", signed=True),)):
        return Busy()
    found = s.cursor().execute(_FIND, (s.tenant_id, digest, KEPT_FOR), prepare=True).fetchone()
    if found is None:
        s.cursor().execute(_RESERVE, (s.tenant_id, digest, request_digest), prepare=True)
        return Entry(digest, request_digest)
    known_digest, status, body = found
    if bytes(known_digest) != request_digest:
        raise KeyReused()
    return Stored(status, _cipher(s).open(bytes(body), digest))


def finish(s: Scope, entry: Entry, *, status: int, body: bytes) -> None:
    sealed = _cipher(s).seal(body, entry.key_digest)
    s.cursor().execute(_FINISH, (status, sealed, s.tenant_id, entry.key_digest, entry.request_digest))


def _cipher(s: Scope) -> BoundCipher:
    return keyring(s.ref).cipher(Purpose.IDEMPOTENCY, table="idempotency", column="body")


def _value(s: Scope, statement: str, parameters: tuple[object, ...]) -> bool:
    row = s.cursor().execute(statement, parameters).fetchone()
    return bool(row and row[0])
