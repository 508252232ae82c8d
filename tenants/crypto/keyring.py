"""All usable keys of one tenant, unwrapped, in memory."""

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


@dataclass(frozen=True, slots=True, eq=False)
class KeyringEntry:
    """`seals` marks the one key of its purpose that new values are sealed with; the others only open."""

    key_id: int
    purpose: Purpose
    is_primary: bool
    key: KeyHandle


class Keyring(UnpicklableSecret):
    """Gives out ciphers and look-up keys of one tenant. Safe to share between threads."""

    __slots__ = ("_aeads", "_ciphers", "_hashes", "_primary_key_ids", "region", "tenant")

    def __init__(self, keys: Iterable[KeyringEntry], *, region: str, tenant: UUID) -> None:
        self.region, self.tenant = region, tenant
        self._aeads: dict[Purpose, dict[int, AESGCMSIV]] = {}
        self._primary_key_ids: dict[Purpose, int] = {}
        self._hashes: dict[Purpose, KeyedHash] = {}
        self._ciphers: dict[tuple[Purpose, str, str], BoundCipher] = {}
        for key in keys:
            self._add_key(key)

    def _add_key(self, key: KeyringEntry) -> None:
        if key.purpose in HASHING_PURPOSES:
            if key.is_primary:
                self._hashes[key.purpose] = KeyedHash(key.key)
            return
        self._aeads.setdefault(key.purpose, {})[key.key_id] = key.key.to_aead()
        if key.is_primary:
            self._primary_key_ids[key.purpose] = key.key_id

    def get_cipher(self, purpose: Purpose, *, table: str, column: str) -> BoundCipher:
        """Raises KeyServiceUnavailable when the tenant has no key of this purpose."""
        wanted = (purpose, table, column)
        found = self._ciphers.get(wanted)
        if found is None:
            sealing_id, _ = self.get_primary_aead(purpose)
            found = self._ciphers[wanted] = BoundCipher(
                region=self.region,
                tenant=self.tenant,
                purpose=purpose,
                table=table,
                column=column,
                primary_key_id=sealing_id,
                keys=self._aeads[purpose],
            )
        return found

    def get_primary_aead(self, purpose: Purpose) -> tuple[int, AESGCMSIV]:
        """The key id and key that new values of `purpose` are sealed with."""
        if purpose in HASHING_PURPOSES:
            raise ValueError("A hashing key seals nothing.")
        key_id = self._primary_key_ids.get(purpose)
        if key_id is None:
            raise KeyServiceUnavailable(f"This tenant has no key for {purpose}.")
        return key_id, self._aeads[purpose][key_id]

    def get_aead(self, purpose: Purpose, key_id: int) -> AESGCMSIV:
        """Raises DecryptionFailed for a key that is not this tenant's or not of this purpose."""
        key = self._aeads.get(purpose, {}).get(key_id)
        if key is None:
            raise DecryptionFailed(
                "The file names a key that is not among this tenant's keys of its purpose."
            )
        return key

    def derive_pseudonym(self, kind: str, value: str) -> bytes:
        """16 bytes that stand for `value` in this tenant only; `kind` keeps users, items and events apart."""
        return self._get_hash(Purpose.PSEUDONYM).hash_many(kind, (normalize_value(value),))[0]

    def derive_pseudonyms(self, kind: str, values: Sequence[str]) -> list[bytes]:
        return self._get_hash(Purpose.PSEUDONYM).hash_many(kind, [*map(normalize_value, values)])

    def compute_digest(self, kind: str, content: bytes) -> bytes:
        """16 bytes by which equal contents are recognised within this tenant; `kind` keeps uses apart."""
        return self._get_hash(Purpose.PSEUDONYM).hash_many(f"digest:{kind}", (content,))[0]

    def compute_blind_index(self, column: str, value: str) -> bytes:
        """16 bytes for equality look-ups on one column. Not for columns with few distinct values."""
        return self._get_hash(Purpose.BLIND_INDEX).hash_many(column, (normalize_value(value),))[0]

    def derive_tombstone(self, pseudonym: bytes) -> bytes:
        """32 bytes for the ledger of erasures: recognises an erased pseudonym, gives none away."""
        return self._get_hash(Purpose.TOMBSTONE).hash_many("erased", (pseudonym,), size=32)[0]

    def _get_hash(self, purpose: Purpose) -> KeyedHash:
        found = self._hashes.get(purpose)
        if found is None:
            raise KeyServiceUnavailable(f"This tenant has no key for {purpose}.")
        return found
