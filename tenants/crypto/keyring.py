"""The keyring: all usable keys of one tenant, unwrapped, in memory."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from uuid import UUID

from cryptography.hazmat.primitives.ciphers.aead import AESGCMSIV

from tenants.crypto.aead import BoundCipher
from tenants.crypto.handles import KeyHandle, UnpicklableSecret
from tenants.crypto.pseudonyms import KeyedHash, normalize_value
from tenants.crypto.purposes import HASHING_PURPOSES, Purpose
from tenants.errors import DecryptionFailed, KeyServiceUnavailable

TOMBSTONE_BYTES = 32


@dataclass(
    frozen=True,
    slots=True,
    eq=False,
)
class KeyringEntry:
    """A key with its id and purpose. The primary key of a purpose seals new values; the others only open."""

    key_id: int
    purpose: Purpose
    is_primary: bool
    key: KeyHandle


class Keyring(UnpicklableSecret):
    """Returns ciphers and keyed hashes of one tenant. Threads may share an instance."""

    __slots__ = ("_aeads", "_ciphers", "_hashes", "_primary_key_ids", "region", "tenant")

    def __init__(self, keys: Iterable[KeyringEntry], *, region: str, tenant: UUID) -> None:
        self.region, self.tenant = region, tenant
        self._aeads: dict[Purpose, dict[int, AESGCMSIV]] = {}
        self._primary_key_ids: dict[Purpose, int] = {}
        self._hashes: dict[Purpose, KeyedHash] = {}
        self._ciphers: dict[tuple[Purpose, str, str], BoundCipher] = {}
        for entry in keys:
            self._add_entry(entry)

    def _add_entry(self, entry: KeyringEntry) -> None:
        if entry.purpose in HASHING_PURPOSES:
            # A pending hashing key must not be used before the re-keying job has recomputed all look-up keys.
            if entry.is_primary:
                self._hashes[entry.purpose] = KeyedHash(entry.key)
            return
        self._aeads.setdefault(entry.purpose, {})[entry.key_id] = entry.key.to_aead()
        if entry.is_primary:
            self._primary_key_ids[entry.purpose] = entry.key_id

    def get_cipher(self, purpose: Purpose, *, table: str, column: str) -> BoundCipher:
        """Returns the cipher of one column; it is built once per keyring.

        Raises KeyServiceUnavailable if the tenant has no key of this purpose.
        """
        cache_key = (purpose, table, column)
        cipher = self._ciphers.get(cache_key)
        if cipher is None:
            primary_key_id, _key = self.get_primary_aead(purpose)
            cipher = BoundCipher(
                region=self.region,
                tenant=self.tenant,
                purpose=purpose,
                table=table,
                column=column,
                primary_key_id=primary_key_id,
                keys=self._aeads[purpose],
            )
            self._ciphers[cache_key] = cipher
        return cipher

    def get_primary_aead(self, purpose: Purpose) -> tuple[int, AESGCMSIV]:
        """Returns id and AEAD of the key that seals new values of `purpose`.

        Raises ValueError for a hashing purpose, KeyServiceUnavailable if the tenant has no such key.
        """
        if purpose in HASHING_PURPOSES:
            raise ValueError("A hashing key seals nothing.")
        key_id = self._primary_key_ids.get(purpose)
        if key_id is None:
            raise KeyServiceUnavailable(f"This tenant has no key for {purpose}.")
        return key_id, self._aeads[purpose][key_id]

    def get_aead(self, purpose: Purpose, key_id: int) -> AESGCMSIV:
        """Returns one key. Raises DecryptionFailed if the tenant has no key of this purpose with this id."""
        key = self._aeads.get(purpose, {}).get(key_id)
        if key is None:
            raise DecryptionFailed(
                "The file was sealed with a key that is not among this tenant's keys of its purpose."
            )
        return key

    def derive_pseudonym(self, kind: str, value: str) -> bytes:
        """Returns the pseudonym of `value` in this tenant: 16 bytes.

        `kind` separates the domains: a user, an item and an event with the same id have different pseudonyms.
        """
        return self.derive_pseudonyms(kind, (value,))[0]

    def derive_pseudonyms(self, kind: str, values: Sequence[str]) -> list[bytes]:
        """Returns the pseudonyms of `values`, in their order."""
        normalized = [normalize_value(value) for value in values]
        return self._get_hash(Purpose.PSEUDONYM).hash_many(kind, normalized)

    def compute_digest(self, kind: str, content: bytes) -> bytes:
        """Returns 16 bytes that are equal for equal contents of the same `kind` and tenant."""
        return self._get_hash(Purpose.PSEUDONYM).hash_many(f"digest:{kind}", (content,))[0]

    def derive_tombstone(self, pseudonym: bytes) -> bytes:
        """Returns the 32 bytes by which the erasure ledger recognises an erased pseudonym without storing it."""
        digests = self._get_hash(Purpose.TOMBSTONE).hash_many("erased", (pseudonym,), size=TOMBSTONE_BYTES)
        return digests[0]

    def _get_hash(self, purpose: Purpose) -> KeyedHash:
        keyed_hash = self._hashes.get(purpose)
        if keyed_hash is None:
            raise KeyServiceUnavailable(f"This tenant has no key for {purpose}.")
        return keyed_hash
