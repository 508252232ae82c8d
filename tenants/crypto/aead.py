"""AES-256-GCM-SIV with random nonces for column values, each bound to its place in the database.

A sealed value has these fields:

    magic       2 bytes   b"LP"
    suite       1 byte    b"\\x02", AES-256-GCM-SIV
    key id      4 bytes   big-endian
    nonce      12 bytes   random
    ciphertext            as long as the plaintext
    tag        16 bytes

The associated data (RFC 5116) is version, region, tenant, purpose, table, column and key id, each prefixed with its
length, followed by the row id. It is built from the query, not read from the value: of the value only the key id and
the nonce are used before verification, and the tag covers both.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from os import urandom
from uuid import UUID

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCMSIV

from tenants.crypto.associated_data import CELL, KEY_ID_BYTES, encode_associated_data, encode_key_id
from tenants.crypto.handles import UnpicklableSecret
from tenants.crypto.purposes import Purpose
from tenants.errors import DecryptionFailed

MAGIC = b"LP"
AES_256_GCM_SIV = b"\x02"
NONCE_BYTES = 12
TAG_BYTES = 16
HEADER_BYTES = len(MAGIC) + len(AES_256_GCM_SIV) + KEY_ID_BYTES
CIPHERTEXT_OFFSET = HEADER_BYTES + NONCE_BYTES
OVERHEAD_BYTES = CIPHERTEXT_OFFSET + TAG_BYTES
_UNKNOWN_HEADER_MESSAGE = (
    "The value has another format, or it was sealed with a key that this tenant does not have."
)

# decrypt(nonce, ciphertext, associated_data) of one key, and the associated data up to the row id.
Decryptor = tuple[Callable[[bytes, bytes, bytes], bytes], bytes]


def build_header(key_id: int) -> bytes:
    """Returns the first bytes of a sealed value. Values with equal headers have the same format, suite and key."""
    return MAGIC + AES_256_GCM_SIV + encode_key_id(key_id)


class BoundCipher(UnpicklableSecret):
    """Seals and opens the values of one column of one tenant. Threads may share an instance."""

    __slots__ = ("_decryptors", "_encrypt", "_header", "_prefix")

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
        """`primary_key_id` names the key of `keys` that seals; all keys open."""
        if not (region and table and column):
            raise ValueError("A value is bound to its region, table and column.")
        # Indexed by the header, so that opening a value takes one look-up that checks magic, suite and key id.
        self._decryptors: dict[bytes, Decryptor] = {}
        for key_id, key in keys.items():
            prefix = encode_associated_data(
                CELL,
                region,
                tenant,
                purpose,
                table,
                column,
                encode_key_id(key_id),
            )
            self._decryptors[build_header(key_id)] = (key.decrypt, prefix)
        self._header = build_header(primary_key_id)
        self._prefix = self._decryptors[self._header][1]
        self._encrypt = keys[primary_key_id].encrypt

    def seal(self, plaintext: bytes, row: bytes) -> bytes:
        """Seals one value. `row` is the id of its row within the table. Raises ValueError if it is empty."""
        if not row:
            raise ValueError("A value is bound to its row.")
        nonce = urandom(NONCE_BYTES)
        return self._header + nonce + self._encrypt(nonce, plaintext, self._prefix + row)

    def open(self, blob: bytes, row: bytes) -> bytes:
        """Returns the plaintext. Raises DecryptionFailed unless `blob` was sealed for this column and `row`."""
        decryptor = self._decryptors.get(blob[:HEADER_BYTES])
        if decryptor is None:
            raise DecryptionFailed(_UNKNOWN_HEADER_MESSAGE)
        decrypt, prefix = decryptor
        try:
            return decrypt(blob[HEADER_BYTES:CIPHERTEXT_OFFSET], blob[CIPHERTEXT_OFFSET:], prefix + row)
        except (InvalidTag, ValueError):
            raise DecryptionFailed from None

    def seal_many(self, plaintexts: Sequence[bytes], rows: Sequence[bytes]) -> list[bytes]:
        """Seals `plaintexts[i]` for `rows[i]`. Raises ValueError if the lengths differ or a row id is empty."""
        if len(plaintexts) != len(rows) or not all(rows):
            raise ValueError("Each value is bound to its row.")
        # One system call draws the nonces of the whole batch.
        nonces = urandom(NONCE_BYTES * len(plaintexts))
        header, encrypt, prefix = self._header, self._encrypt, self._prefix
        offsets = range(0, len(nonces), NONCE_BYTES)
        sealed = []
        for offset, plaintext, row in zip(offsets, plaintexts, rows, strict=True):
            nonce = nonces[offset : offset + NONCE_BYTES]
            sealed.append(header + nonce + encrypt(nonce, plaintext, prefix + row))
        return sealed

    def open_many(self, blobs: Sequence[bytes], rows: Sequence[bytes]) -> list[bytes]:
        """Opens `blobs[i]` of `rows[i]`. Raises DecryptionFailed if any of them can't be opened."""
        if len(blobs) != len(rows):
            raise ValueError("Each value is bound to its row.")
        decryptors = self._decryptors
        plaintexts = []
        try:
            for blob, row in zip(blobs, rows, strict=True):
                decrypt, prefix = decryptors[blob[:HEADER_BYTES]]
                nonce, ciphertext = blob[HEADER_BYTES:CIPHERTEXT_OFFSET], blob[CIPHERTEXT_OFFSET:]
                plaintexts.append(decrypt(nonce, ciphertext, prefix + row))
        except KeyError:
            raise DecryptionFailed(_UNKNOWN_HEADER_MESSAGE) from None
        except (InvalidTag, ValueError):
            raise DecryptionFailed from None
        return plaintexts


def read_key_id(blob: bytes) -> int:
    """Returns the key id that a sealed value claims, unverified: for counting and re-sealing.

    Raises DecryptionFailed if `blob` is not a sealed value.
    """
    key_id_offset = HEADER_BYTES - KEY_ID_BYTES
    if not blob.startswith(MAGIC + AES_256_GCM_SIV) or len(blob) < OVERHEAD_BYTES:
        raise DecryptionFailed
    return int.from_bytes(blob[key_id_offset:HEADER_BYTES], "big")
