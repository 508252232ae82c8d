"""AES-256-GCM-SIV with a random nonce, bound to one column; the hot path of every read and write.

A sealed value is `magic(2) suite(1) key id(4) nonce(12) ciphertext tag(16)`. The associated data is
version, region, tenant, purpose, table, column and key id, each behind its length, then the row id. It is
rebuilt from the look-up; of the blob only the key id and the nonce are believed, and the tag covers both.
Values of the first suite, whose key ids have two bytes, are opened and no longer made.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from os import urandom
from uuid import UUID

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCMSIV

from tenants.crypto import context
from tenants.crypto.handles import Opaque
from tenants.crypto.purposes import Purpose
from tenants.errors import DecryptionFailed

MAGIC = b"LP"
FIRST_SUITE = b"\x01"
AES_256_GCM_SIV = b"\x02"
NONCE_BYTES = 12
TAG_BYTES = 16
HEAD_BYTES = len(MAGIC) + len(AES_256_GCM_SIV) + context.KEY_ID_BYTES
BODY_AT = HEAD_BYTES + NONCE_BYTES
OVERHEAD_BYTES = BODY_AT + TAG_BYTES
_FIRST_HEAD_BYTES = len(MAGIC) + len(FIRST_SUITE) + context.FIRST_KEY_ID_BYTES
_NO_KEY = "The value names a key that is not among this tenant's: another format, or a key that is lost."


def head(key_id: int) -> bytes:
    """The first bytes of a sealed value; equal heads mean equal format, suite and key."""
    return MAGIC + AES_256_GCM_SIV + context.key_id_bytes(key_id)


def _first_head(key_id: int) -> bytes:
    return MAGIC + FIRST_SUITE + context.first_key_id_bytes(key_id)


class BoundCipher(Opaque):
    """Seals and opens values of one column of one tenant. Safe to share between threads."""

    __slots__ = ("_encrypt", "_first_openers", "_head", "_openers", "_prefix")

    def __init__(
        self,
        *,
        region: str,
        tenant: UUID,
        purpose: Purpose,
        table: str,
        column: str,
        sealing_id: int,
        keys: Mapping[int, AESGCMSIV],
    ) -> None:
        if not (region and table and column):
            raise ValueError("A value is bound to its region, table and column.")

        def prefix(key_id: bytes) -> bytes:
            return context.encode(context.CELL, region, tenant, purpose, table, column, key_id)

        self._head, self._prefix = head(sealing_id), prefix(context.key_id_bytes(sealing_id))
        self._encrypt = keys[sealing_id].encrypt
        self._openers = {
            head(key_id): (key.decrypt, prefix(context.key_id_bytes(key_id))) for key_id, key in keys.items()
        }
        self._first_openers = {
            _first_head(key_id): (key.decrypt, prefix(context.first_key_id_bytes(key_id)))
            for key_id, key in keys.items()
            if key_id <= context.FIRST_LAST_KEY_ID
        }

    def seal(self, plaintext: bytes, row: bytes) -> bytes:
        """`row` is the row's id within its table, never empty."""
        if not row:
            raise ValueError("A value is bound to its row.")
        nonce = urandom(NONCE_BYTES)
        return self._head + nonce + self._encrypt(nonce, plaintext, self._prefix + row)

    def open(self, blob: bytes, row: bytes) -> bytes:
        """Raises DecryptionFailed unless exactly this was sealed for exactly this place."""
        opener, begin = self._openers.get(blob[:HEAD_BYTES]), HEAD_BYTES
        if opener is None:
            opener, begin = self._first_openers.get(blob[:_FIRST_HEAD_BYTES]), _FIRST_HEAD_BYTES
        if opener is None:
            raise DecryptionFailed(_NO_KEY)
        body = begin + NONCE_BYTES
        try:
            return opener[0](blob[begin:body], blob[body:], opener[1] + row)
        except (InvalidTag, ValueError):
            raise DecryptionFailed from None

    def seal_many(self, plaintexts: Sequence[bytes], rows: Sequence[bytes]) -> list[bytes]:
        """As `seal`, for equally many plaintexts and rows; one draw of random bytes for all nonces."""
        if len(plaintexts) != len(rows) or not all(rows):
            raise ValueError("Each value is bound to its row.")
        nonces = urandom(NONCE_BYTES * len(plaintexts))
        begin, encrypt, prefix = self._head, self._encrypt, self._prefix
        return [
            begin + (nonce := nonces[at : at + NONCE_BYTES]) + encrypt(nonce, plaintext, prefix + row)
            for at, plaintext, row in zip(range(0, len(nonces), NONCE_BYTES), plaintexts, rows, strict=True)
        ]

    def open_many(self, blobs: Sequence[bytes], rows: Sequence[bytes]) -> list[bytes]:
        """As `open`; one bad value refuses the whole batch."""
        if len(blobs) != len(rows):
            raise ValueError("Each value is bound to its row.")
        openers = self._openers
        try:
            return [
                (opener := openers[blob[:HEAD_BYTES]])[0](
                    blob[HEAD_BYTES:BODY_AT], blob[BODY_AT:], opener[1] + row
                )
                for blob, row in zip(blobs, rows, strict=True)
            ]
        except KeyError:
            return [self.open(blob, row) for blob, row in zip(blobs, rows, strict=True)]
        except (InvalidTag, ValueError):
            raise DecryptionFailed from None


def key_id_of(blob: bytes) -> int:
    """Which key sealed `blob`, as the blob claims: for counting and re-sealing, not for trust."""
    for suite, end in ((AES_256_GCM_SIV, HEAD_BYTES), (FIRST_SUITE, _FIRST_HEAD_BYTES)):
        start = len(MAGIC) + len(suite)
        if blob[:start] == MAGIC + suite and len(blob) >= end + NONCE_BYTES + TAG_BYTES:
            return int.from_bytes(blob[start:end], "big")
    raise DecryptionFailed
