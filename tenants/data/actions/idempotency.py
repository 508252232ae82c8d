"""Answers given to an Idempotency-Key, sealed, for a day. One effect for each key and tenant."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import ClassVar

from tenants.crypto import BoundCipher, Purpose
from tenants.errors import DomainError
from tenants.keys.queries import get_keyring
from tenants.scope import Scope

RETENTION = timedelta(hours=24)

_LOCK = "SELECT pg_try_advisory_xact_lock(%s)"
_FIND_RESPONSE = """
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
class IdempotencyReservation:
    """A key that this transaction has reserved."""

    key_digest: bytes
    request_digest: bytes


@dataclass(frozen=True, slots=True)
class StoredResponse:
    """The answer that was given."""

    status: int
    body: bytes


class RequestInProgress:
    """Another request with this key is being worked on."""


def begin_request(
    s: Scope, key: str, request_digest: bytes
) -> IdempotencyReservation | StoredResponse | RequestInProgress:
    """Reserves the key until the scope ends: work, answer and reservation commit together or not at all.

    Raises KeyReused for another request.
    """
    digest = get_keyring(s.ref).derive_pseudonym("idempotency", key)
    # The lock makes the second of two simultaneous requests say so instead of waiting for the first.
    if not _fetch_flag(s, _LOCK, (int.from_bytes(digest[:8], "big", signed=True),)):
        return RequestInProgress()
    found = s.cursor().execute(_FIND_RESPONSE, (s.tenant_id, digest, RETENTION), prepare=True).fetchone()
    if found is None:
        s.cursor().execute(_RESERVE, (s.tenant_id, digest, request_digest), prepare=True)
        return IdempotencyReservation(digest, request_digest)
    known_digest, status, body = found
    if bytes(known_digest) != request_digest:
        raise KeyReused()
    return StoredResponse(status, _get_cipher(s).open(bytes(body), digest))


def finish_request(s: Scope, reservation: IdempotencyReservation, *, status: int, body: bytes) -> None:
    sealed = _get_cipher(s).seal(body, reservation.key_digest)
    s.cursor().execute(
        _FINISH, (status, sealed, s.tenant_id, reservation.key_digest, reservation.request_digest)
    )


def _get_cipher(s: Scope) -> BoundCipher:
    return get_keyring(s.ref).get_cipher(Purpose.IDEMPOTENCY, table="idempotency", column="body")


def _fetch_flag(s: Scope, statement: str, parameters: tuple[object, ...]) -> bool:
    row = s.cursor().execute(statement, parameters).fetchone()
    return bool(row and row[0])
