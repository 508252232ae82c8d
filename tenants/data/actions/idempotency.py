"""Idempotency keys: responses are stored, sealed, for a day, so that a repeated request has no second effect."""

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
# Forces a durable commit even if the request itself set synchronous_commit off: a response that was sent must still be
# stored after a crash.
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
    """A key reserved by this transaction."""

    key_digest: bytes
    request_digest: bytes


@dataclass(frozen=True, slots=True)
class StoredResponse:
    """The stored response of the first request."""

    status: int
    body: bytes


class RequestInProgress:
    """Another request with this key is in progress."""


def begin_request(
    s: Scope, key: str, request_digest: bytes
) -> IdempotencyReservation | StoredResponse | RequestInProgress:
    """Reserves the key, or returns the stored response of an earlier request.

    The effects of the request, its response and the reservation commit in one transaction. Raises KeyReused if the key
    belongs to a different request.
    """
    digest = get_keyring(s.ref).derive_pseudonym("idempotency", key)
    # Without the lock the second of two concurrent requests would wait for the first one's row.
    if not _fetch_flag(s, _LOCK, (int.from_bytes(digest[:8], "big", signed=True),)):
        return RequestInProgress()
    row = s.cursor().execute(_FIND_RESPONSE, (s.tenant_id, digest, RETENTION), prepare=True).fetchone()
    if row is None:
        s.cursor().execute(_RESERVE, (s.tenant_id, digest, request_digest), prepare=True)
        return IdempotencyReservation(digest, request_digest)
    stored_digest, status, body = row
    if bytes(stored_digest) != request_digest:
        raise KeyReused()
    return StoredResponse(status, _get_cipher(s).open(bytes(body), digest))


def finish_request(
    s: Scope,
    reservation: IdempotencyReservation,
    *,
    status: int,
    body: bytes,
) -> None:
    """Stores the response under a reserved key."""
    sealed = _get_cipher(s).seal(body, reservation.key_digest)
    key = (s.tenant_id, reservation.key_digest, reservation.request_digest)
    s.cursor().execute(_FINISH, (status, sealed, *key))


def _get_cipher(s: Scope) -> BoundCipher:
    return get_keyring(s.ref).get_cipher(Purpose.IDEMPOTENCY, table="idempotency", column="body")


def _fetch_flag(s: Scope, statement: str, parameters: tuple[object, ...]) -> bool:
    row = s.cursor().execute(statement, parameters).fetchone()
    return bool(row and row[0])
