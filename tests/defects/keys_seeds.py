"""Defects of keys: their life, their loss, and erasures after a restore."""

from __future__ import annotations

from tests.defects.seeds import Seed

_LOCKING = "tenants/keys/actions/locking.py"
_REPLAY = "tenants/privacy/replay.py"
_ROTATION = "tenants/keys/actions/rotation.py"
_SHREDDING = "tenants/keys/actions/shredding.py"

_CACHE = "tests/keys/test_keyring_cache.py"
_LOST = "tests/restore/test_lost_keys.py"
_REPLAYS = "tests/restore/test_erasure_replay.py"
_ROTATES = "tests/keys/test_rotation.py"
_SHREDS = "tests/keys/test_shredding.py"
_STALE = "tests/restore/test_stale_keys.py"
_WRAPPED = "tests/keys/test_wrapped_keys.py"

KEYS_SEEDS = (
    Seed(
        "a process's keyrings are one",
        "tenants/keys/queries/cache.py",
        "entry = self._entries.get(tenant)",
        "entry = next(iter(self._entries.values()), None)",
        _CACHE,
    ),
    Seed(
        "a cached keyring never ends",
        "tenants/keys/queries/cache.py",
        "if entry is not None and started - entry[0] < self._ttl:",
        "if entry is not None:",
        _CACHE,
    ),
    Seed(
        "a forgotten keyring comes back",
        "tenants/keys/queries/cache.py",
        "if generation == self._generation:",
        "if generation <= self._generation:",
        _CACHE,
    ),
    Seed(
        "a wrapped key is not bound to its row",
        "tenants/keys/wrapped_keys.py",
        '"tenant": str(tenant_id), "row": str(row_id)}',
        '"tenant": str(tenant_id)}',
        _WRAPPED,
    ),
    Seed(
        "a wrapped key is not bound to its purpose",
        "tenants/keys/wrapped_keys.py",
        '        "purpose": Purpose(row.purpose).value,\n',
        "",
        _WRAPPED,
    ),
    Seed(
        "a wrapped key is not bound to its id",
        "tenants/keys/wrapped_keys.py",
        '        "key_id": str(row.key_id),\n',
        "",
        _WRAPPED,
    ),
    Seed(
        "keys lie in the database unwrapped",
        "tenants/keys/wrapped_keys.py",
        "return wrap(kek, key, context=_build_key_context(row, region))",
        "return key.reveal_material()",
        _WRAPPED,
    ),
    Seed(
        "an added key seals at once",
        _ROTATION,
        "state=KeyState.PENDING,\n                kek_row=kek_row",
        "state=KeyState.ACTIVE,\n                kek_row=kek_row",
        _ROTATES,
    ),
    Seed(
        "a key is promoted before every process knows it",
        _ROTATION,
        "elif timezone.now() - pending.created_at < rollout:",
        "elif timezone.now() < pending.created_at:",
        _ROTATES,
    ),
    Seed(
        "look-up keys rotate lazily",
        _ROTATION,
        "    if purpose in HASHING_PURPOSES:\n",
        "    if purpose not in Purpose:\n",
        _ROTATES,
    ),
    Seed(
        "a promoted key leaves the old one active",
        _ROTATION,
        "    of_purpose.filter(state=KeyState.ACTIVE).update(state=KeyState.RETIRED, retired_at=now)\n",
        "",
        _ROTATES,
    ),
    Seed(
        "a key is destroyed while it seals",
        _ROTATION,
        "if row.retired_at is None or timezone.now() - row.retired_at < rollout:",
        "if row.retired_at is not None and timezone.now() < row.retired_at:",
        _ROTATES,
    ),
    Seed(
        "a key in use is destroyed",
        _ROTATION,
        "        if uses:\n",
        "        if uses < 0:\n",
        _ROTATES,
    ),
    Seed(
        "a destroyed key keeps its bytes",
        _ROTATION,
        '            state=KeyState.DESTROYED,\n            wrapped=b"",\n',
        "            state=KeyState.DESTROYED,\n",
        _ROTATES,
    ),
    Seed(
        "a destroyed key is only retired",
        _ROTATION,
        '            state=KeyState.DESTROYED,\n            wrapped=b"",\n',
        "            state=KeyState.RETIRED,\n",
        _ROTATES,
    ),
    Seed(
        "a shred leaves the purpose keys",
        _SHREDDING,
        "for keys in (PurposeKey.objects, TenantKey.objects):",
        "for keys in (TenantKey.objects,):",
        _SHREDS,
    ),
    Seed(
        "a shred leaves the tenant's KEK",
        _SHREDDING,
        "for keys in (PurposeKey.objects, TenantKey.objects):",
        "for keys in (PurposeKey.objects,):",
        _SHREDS,
    ),
    Seed(
        "a shredded tenant gets new keys",
        "tenants/keys/actions/creation.py",
        "if ShredCertificate.objects.filter(tenant_id=tenant.id).exists():",
        "if not tenant.region:",
        _SHREDS,
    ),
    Seed(
        "the old KEK outlives its rotation",
        "tenants/keys/actions/rewrapping.py",
        "        _set_state(old_row, KeyState.DESTROYED)\n",
        "",
        "tests/keys/test_rewrapping.py",
    ),
    Seed(
        "key ids are counted on after a stale restore",
        _LOCKING,
        "key_id = 1 + secrets.randbelow(_MAX_KEY_ID)",
        "key_id = max(used, default=0) + 1",
        _STALE + "::test_no_key_id_is_reused",
    ),
    Seed(
        "lost keys look like an absent thing",
        "tenants/keys/queries/keyrings.py",
        'raise KeyServiceUnavailable("This',
        'from tenants.errors import NotFound\n\n        raise NotFound("This',
        _LOST + "::test_every_call_answers_503_and_nothing_is_written",
    ),
    Seed(
        "lost keys are replaced by new ones",
        "tenants/privacy/onboarding.py",
        "if opened and not list_keys(tenant, actor=actor):",
        "if opened and not tenant.region:",
        _LOST + "::test_no_keys_are_created_for_a_tenant_with_lost_keys",
    ),
    Seed(
        "the ledger is not written",
        "tenants/privacy/erasure.py",
        "    (tombstone,) = record_tombstones(tenant, [key], erased_at=erased_at, actor=actor)\n",
        "    from tenants.keys.queries import get_keyring\n\n    tombstone = get_keyring(tenant).derive_tombstone(key)\n",
        "tests/privacy/test_erasure.py",
    ),
    Seed(
        "marks give the pseudonym away",
        "tenants/crypto/keyring.py",
        "        return digests[0]",
        '        return pseudonym.ljust(32, b".")',
        "tests/keys/test_erasure_ledger.py",
    ),
    Seed(
        "a replay does not restore the marks",
        _REPLAY,
        "        restore_records(s, records)\n",
        "",
        _REPLAYS + "::test_a_profile_absent_from_the_backup_stays_erased",
    ),
    Seed(
        "a replay erases who came back since",
        _REPLAY,
        "if (record.subject, record.erased_at) not in completed",
        "if record.subject",
        _REPLAYS + "::test_events_after_an_erasure_are_kept",
    ),
    Seed(
        "a replay takes an earlier erasure for the last",
        _REPLAY,
        "if (record.subject, record.erased_at) not in completed",
        "if record.subject not in dict(completed)",
        _REPLAYS + "::test_a_profile_erased_twice_is_erased_again_by_the_replay",
    ),
    Seed(
        "a replay ends after its first page",
        _REPLAY,
        "if len(page) < _PAGE_SIZE:",
        "if page or not page:",
        _REPLAYS + "::test_the_replay_covers_several_pages",
    ),
    Seed(
        "a replay looks at profiles only",
        _REPLAY,
        "for table in TABLES:",
        "for table in TABLES[-1:]:",
        _REPLAYS,
    ),
    Seed(
        "a replay forgets what it was told to erase",
        _REPLAY,
        "rows += sum(erase_recorded(tenant, key, record, actor=actor).deleted.values())",
        "rows += len(key + record.hmac) // 48",
        _REPLAYS + "::test_the_replay_erases_exactly_the_erased_profiles",
    ),
    Seed(
        "one tenant's damaged chunk stops the merging of all",
        "lepton_platform/tasks/maintenance.py",
        "        except DomainError as error:\n            # Lost keys",
        "        except ZeroDivisionError as error:\n            # Lost keys",
        _STALE + "::test_a_tenant_with_lost_keys_does_not_block_merges_of_others",
    ),
)
