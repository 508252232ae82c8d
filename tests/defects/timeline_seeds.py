"""Defects of the timeline: ingest, merging, retention, erasure, scanning."""

from __future__ import annotations

from tests.defects.seeds import Seed

_BATCH = "tenants/data/actions/event_batch.py"
_PREPARED = "tenants/data/actions/prepared_events.py"
_EVENTS = "tenants/data/actions/events.py"
_CHUNKS = "tenants/data/actions/chunks.py"
_MERGE = "tenants/data/actions/merge.py"
_RETENTION = "tenants/data/actions/retention.py"
_ERASURE = "tenants/privacy/erasure.py"
_TIMELINE = "tenants/data/queries/timeline.py"
_LATE = "tests/data/test_late_events.py"
_RACES = "tests/data/test_concurrency.py"
_KEPT = "tests/data/test_retention.py"
_ERASED = "tests/privacy/test_erasure.py"

TIMELINE_SEEDS = (
    Seed(
        "a merge drops chunks that it did not read",
        _CHUNKS,
        "WHERE t.tenant_id = %s AND t.profile_key = gone.k AND t.seq = gone.q",
        "WHERE t.tenant_id = %s AND t.profile_key = gone.k AND gone.q > 0",
        f"{_RACES}::test_a_chunk_inserted_between_the_read_and_delete_of_a_merge_is_not_deleted",
    ),
    Seed(
        "a merge goes on though its chunks are gone",
        _CHUNKS,
        ".rowcount != len(seqs):",
        ".rowcount > len(seqs):",
        f"{_RACES}::test_an_erasure_that_commits_before_a_merge_leaves_no_rows",
    ),
    Seed(
        "repeats survive a merge",
        _MERGE,
        "profile._replace(events=records.drop_repeats(profile.events))",
        "profile._replace(events=profile.events)",
        _LATE,
    ),
    Seed(
        "a merge does not correct counters",
        _MERGE,
        "    _update_counters(s, stored, unique, state.event_kinds)\n",
        "",
        _LATE,
    ),
    Seed(
        "a correction forgets what was attributed",
        _MERGE,
        '(("events", events), ("attributed", events[events["recommendation"] != 0]))',
        '(("events", events),)',
        _LATE,
    ),
    Seed(
        "settled chunks are never looked at again",
        _MERGE,
        "AND last_at >= (SELECT min(first_at) FROM small)",
        "AND false",
        _LATE,
    ),
    Seed(
        "a merge keeps what is too old",
        _MERGE,
        'events[events["at"] >= cutoff_ms]',
        'events[events["at"] >= 0]',
        _KEPT,
    ),
    Seed(
        "ingest writes chunks that nobody merges",
        _PREPARED,
        "% (CHUNK_EVENTS - 1) == 0",
        "% (2 * CHUNK_EVENTS) == 0",
        _LATE,
    ),
    Seed(
        "each merge rewrites everything for a few newcomers",
        _MERGE,
        "AND 2 * (sum(count) - max(count)) >= max(count))",
        ")",
        _LATE,
    ),
    Seed(
        "a scan goes on in the middle of a profile",
        _TIMELINE,
        "    complete_rows = [row for row in rows if row[0] != last_key]\n",
        "    complete_rows = rows\n",
        f"tests/data/test_merge.py {_LATE}",
    ),
    Seed(
        "retention leaves the old part of a chunk",
        _RETENTION,
        '    dropped["timeline"] += _trim_chunks(s, profile_keys, cutoff)\n',
        "",
        _KEPT,
    ),
    Seed(
        "retention forgets what was seen",
        _RETENTION,
        "    _rebuild_seen_items(s, profile_keys, state)\n",
        "",
        _KEPT,
    ),
    Seed(
        "retention takes the new events of a chunk along",
        _RETENTION,
        "AND profile_key = ANY(%b) AND last_at < %b RETURNING count",
        "AND profile_key = ANY(%b) AND first_at < %b RETURNING count",
        _KEPT,
    ),
    Seed(
        "retention stops after one page",
        _RETENTION,
        "return len(profile_keys) == PAGE_SIZE",
        "return False",
        _KEPT,
    ),
    Seed(
        "an erasure does not wait for older transactions",
        _ERASURE,
        "    _wait_for_older_transactions(tenant, recorded_xid, actor=actor)\n",
        "",
        _ERASED,
    ),
    Seed(
        "an erasure looks once and believes it",
        _ERASURE,
        "        if not remaining_tables:\n",
        "        if remaining_tables or not remaining_tables:\n",
        f"{_RACES}::test_a_merge_that_commits_before_an_erasure_is_erased",
    ),
    Seed(
        "an erasure forgets the receipts",
        _ERASURE,
        '"data_review", "data_receipt", "data_profile")',
        '"data_review", "data_profile")',
        "tests/privacy/test_export.py",
    ),
    Seed(
        "an erasure is not in the ledger",
        _ERASURE,
        "(tombstone,) = record_tombstones(tenant, [key], erased_at=erased_at, actor=actor)",
        "from tenants.keys.queries import get_keyring; tombstone = get_keyring(tenant).derive_tombstone(key)",
        _ERASED,
    ),
    Seed(
        "late events of an erased profile are taken",
        _BATCH,
        "at_ms <= self.erased_at.get(self.batch.keys[profile], -1)",
        "at_ms <= -1",
        _ERASED,
    ),
    Seed(
        "events do not wait for the disk",
        _EVENTS,
        "    chunks = prepared.seal_chunks(s, seq)\n",
        '    chunks = prepared.seal_chunks(s, seq)\n    s.cursor().execute("SET LOCAL synchronous_commit = off")\n',
        "tests/data/test_ingest.py",
    ),
    Seed(
        "a server that may lose commits is accepted",
        "lepton_platform/checks.py",
        "    check_durability,\n",
        "",
        "tests/platform/test_startup_checks.py",
    ),
    Seed(
        "a batch has a second effect",
        _EVENTS,
        "is_new=not batch.digest or digest.rowcount == 1,",
        "is_new=True,",
        "tests/data/test_ingest.py",
    ),
    Seed(
        "one bad row takes its neighbours along",
        _BATCH,
        "            receipt.rejected.append(error)\n",
        "            receipt.rejected.append(error)\n            break\n",
        "tests/data/test_ingest.py",
    ),
    Seed(
        "an event id of one profile silences another's",
        _BATCH,
        "identity = (batch.profile_index[row], batch.event_hashes[row])",
        "identity = (0, batch.event_hashes[row])",
        "tests/data/test_ingest.py",
    ),
    Seed(
        "events of those who refused are stored",
        _BATCH,
        "        if not self.has_consent[profile]:\n",
        "        if not self.has_consent[profile] and self.opt_in:\n",
        "tests/data/test_ingest.py",
    ),
    Seed(
        "an export leaves a kind of rows out",
        "tenants/privacy/export.py",
        '    "data_review": _iter_review_lines,\n',
        "",
        "tests/privacy/test_export.py",
    ),
)
