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
IN_FLIGHT_FOR = timedelta(seconds=60)

_LOCK = "SELECT pg_try_advisory_xact_lock(%s)"
_FIND = """
SELECT request_digest, status, body, finished_at IS NULL AND created_at > now() - %s
FROM data_idempotency WHERE tenant_id = %s AND key_digest = %s AND created_at > now() - %s
"""
_RESERVE = """
INSERT INTO data_idempotency (tenant_id, key_digest, request_digest, status, body, created_at, finished_at)
VALUES (%s, %s, %s, NULL, NULL, now(), NULL)
ON CONFLICT (tenant_id, key_digest) DO UPDATE
SET request_digest = excluded.request_digest, status = NULL, body = NULL, created_at = now(),
    finished_at = NULL
"""
_FINISH = """
UPDATE data_idempotency SET status = %s, body = %s, finished_at = now()
WHERE tenant_id = %s AND key_digest = %s AND request_digest = %s
"""
_ABANDON = "DELETE FROM data_idempotency WHERE tenant_id = %s AND key_digest = %s AND finished_at IS NULL"


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
    """Reserves the key until the scope ends, or for a minute when the reservation is committed alone.

    A reservation that was never finished (the process died) lapses and the work may be done again: that work
    was either rolled back with it or is repeatable. Raises KeyReused for another request.
    """
    digest = keyring(s.ref).pseudonym("idempotency", key)
    # The lock makes the second of two simultaneous requests say so instead of waiting for the first.
    if not _value(s, _LOCK, (int.from_bytes(digest[:8], "big", signed=True),)):
        return Busy()
    found = s.cursor().execute(_FIND, (IN_FLIGHT_FOR, s.tenant_id, digest, KEPT_FOR)).fetchone()
    if found is not None:
        known_digest, status, body, in_flight = found
        if bytes(known_digest) != request_digest and (in_flight or status is not None):
            raise KeyReused()
        if in_flight:
            return Busy()
        if status is not None:
            return Stored(status, _cipher(s).open(bytes(body), digest))
    s.cursor().execute(_RESERVE, (s.tenant_id, digest, request_digest))
    return Entry(digest, request_digest)


def finish(s: Scope, entry: Entry, *, status: int, body: bytes) -> None:
    sealed = _cipher(s).seal(body, entry.key_digest)
    s.cursor().execute(_FINISH, (status, sealed, s.tenant_id, entry.key_digest, entry.request_digest))


def abandon(s: Scope, entry: Entry) -> None:
    """The work failed without effect; the key is free again."""
    s.cursor().execute(_ABANDON, (s.tenant_id, entry.key_digest))


def _cipher(s: Scope) -> BoundCipher:
    return keyring(s.ref).cipher(Purpose.IDEMPOTENCY, table="idempotency", column="body")


def _value(s: Scope, statement: str, parameters: tuple[object, ...]) -> bool:
    row = s.cursor().execute(statement, parameters).fetchone()
    return bool(row and row[0])
