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

from tenants.crypto import associated_data
from tenants.crypto.handles import UnpicklableSecret
from tenants.crypto.purposes import Purpose
from tenants.errors import DecryptionFailed

MAGIC = b"LP"
LEGACY_SUITE = b"\x01"
AES_256_GCM_SIV = b"\x02"
NONCE_BYTES = 12
TAG_BYTES = 16
HEADER_BYTES = len(MAGIC) + len(AES_256_GCM_SIV) + associated_data.KEY_ID_BYTES
CIPHERTEXT_OFFSET = HEADER_BYTES + NONCE_BYTES
OVERHEAD_BYTES = CIPHERTEXT_OFFSET + TAG_BYTES
_LEGACY_HEADER_BYTES = len(MAGIC) + len(LEGACY_SUITE) + associated_data.LEGACY_KEY_ID_BYTES
_NO_KEY_MESSAGE = (
    "The value names a key that is not among this tenant's: another format, or a key that is lost."
)


def build_header(key_id: int) -> bytes:
    """The first bytes of a sealed value; equal heads mean equal format, suite and key."""
    return MAGIC + AES_256_GCM_SIV + associated_data.encode_key_id(key_id)


def _build_legacy_header(key_id: int) -> bytes:
    return MAGIC + LEGACY_SUITE + associated_data.encode_legacy_key_id(key_id)


class BoundCipher(UnpicklableSecret):
    """Seals and opens values of one column of one tenant. Safe to share between threads."""

    __slots__ = ("_decryptors", "_encrypt", "_header", "_legacy_decryptors", "_prefix")

    def __init__(
        self,
        *,
        region: str,
        tenant: UUID,
        purpose: Purpose,
        table: str,
        column: str,
        primary_key_id: int,
        keys: Mapping[int, AESGCMSIV],
    ) -> None:
        if not (region and table and column):
            raise ValueError("A value is bound to its region, table and column.")

        def encode_prefix(key_id: bytes) -> bytes:
            return associated_data.encode_associated_data(
                associated_data.CELL, region, tenant, purpose, table, column, key_id
            )

        self._header, self._prefix = (
            build_header(primary_key_id),
            encode_prefix(associated_data.encode_key_id(primary_key_id)),
        )
        self._encrypt = keys[primary_key_id].encrypt
        self._decryptors = {
            build_header(key_id): (key.decrypt, encode_prefix(associated_data.encode_key_id(key_id)))
            for key_id, key in keys.items()
        }
        self._legacy_decryptors = {
            _build_legacy_header(key_id): (
                key.decrypt,
                encode_prefix(associated_data.encode_legacy_key_id(key_id)),
            )
            for key_id, key in keys.items()
            if key_id <= associated_data.MAX_LEGACY_KEY_ID
        }

    def seal(self, plaintext: bytes, row: bytes) -> bytes:
        """`row` is the row's id within its table, never empty."""
        if not row:
            raise ValueError("A value is bound to its row.")
        nonce = urandom(NONCE_BYTES)
        return self._header + nonce + self._encrypt(nonce, plaintext, self._prefix + row)

    def open(self, blob: bytes, row: bytes) -> bytes:
        """Raises DecryptionFailed unless exactly this was sealed for exactly this place."""
        opener, begin = self._decryptors.get(blob[:HEADER_BYTES]), HEADER_BYTES
        if opener is None:
            opener, begin = self._legacy_decryptors.get(blob[:_LEGACY_HEADER_BYTES]), _LEGACY_HEADER_BYTES
        if opener is None:
            raise DecryptionFailed(_NO_KEY_MESSAGE)
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
        begin, encrypt, prefix = self._header, self._encrypt, self._prefix
        return [
            begin + (nonce := nonces[at : at + NONCE_BYTES]) + encrypt(nonce, plaintext, prefix + row)
            for at, plaintext, row in zip(range(0, len(nonces), NONCE_BYTES), plaintexts, rows, strict=True)
        ]

    def open_many(self, blobs: Sequence[bytes], rows: Sequence[bytes]) -> list[bytes]:
        """As `open`; one bad value refuses the whole batch."""
        if len(blobs) != len(rows):
            raise ValueError("Each value is bound to its row.")
        openers = self._decryptors
        try:
            return [
                (opener := openers[blob[:HEADER_BYTES]])[0](
                    blob[HEADER_BYTES:CIPHERTEXT_OFFSET], blob[CIPHERTEXT_OFFSET:], opener[1] + row
                )
                for blob, row in zip(blobs, rows, strict=True)
            ]
        except KeyError:
            return [self.open(blob, row) for blob, row in zip(blobs, rows, strict=True)]
        except (InvalidTag, ValueError):
            raise DecryptionFailed from None


def read_key_id(blob: bytes) -> int:
    """Which key sealed `blob`, as the blob claims: for counting and re-sealing, not for trust."""
    for suite, end in ((AES_256_GCM_SIV, HEADER_BYTES), (LEGACY_SUITE, _LEGACY_HEADER_BYTES)):
        start = len(MAGIC) + len(suite)
        if blob[:start] == MAGIC + suite and len(blob) >= end + NONCE_BYTES + TAG_BYTES:
            return int.from_bytes(blob[start:end], "big")
    raise DecryptionFailed
