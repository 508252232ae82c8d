"""A state machine that runs operations on a tenant and on a small reference model. Both must agree."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from msgspec import structs

from recommender.registry import actions as registry
from recommender.registry import artefacts, queries
from recommender.training.job_runner import run_training_job
from tenants.data.actions import catalog, counters, profiles
from tenants.data.actions.events import record_events
from tenants.data.actions.merge import merge_profiles
from tenants.data.actions.retention import enforce_retention
from tenants.data.actions.tenant_settings import update_privacy
from tenants.data.queries import counters as counter_queries
from tenants.data.queries import jobs, tenant_state, timeline
from tenants.data.queries.profiles import derive_profile_key
from tenants.data.types import EventInput, ItemInput, ProfileInput
from tenants.errors import NotFound
from tenants.privacy.erasure import erase_profile
from tenants.privacy.export import export_profile
from tenants.regions import TenantRef
from tenants.scope import Actor, scope
from tests.training.tenants import request_training

PROFILES = ("ann", "bob", "eve")
ITEMS = ("mug", "cup", "pot")
NOW = datetime.now(UTC).replace(microsecond=0) - timedelta(hours=1)
PROFILE_IDS, ITEM_IDS = st.sampled_from(PROFILES), st.sampled_from(ITEMS)


class SampleEvent(NamedTuple):
    """An event that a rule sends. `id` is empty if the client sends none; equal ids have equal times."""

    profile: str
    item: str
    days_ago: int
    id: str

    @property
    def at(self) -> datetime:
        return NOW - timedelta(days=self.days_ago, seconds=int(self.id or 0))

    def to_input(self) -> EventInput:
        return EventInput(
            item_id=self.item, kind="view", profile_id=self.profile, at=self.at, id=self.id or None
        )


@dataclass
class ReferenceModel:
    """The expected events of each profile, and the number of accepted events, with repeats counted once.

    `sent` maps each batch to its rejected rows: only these are tried when the batch is repeated.
    `pending_repeats` counts repeats that no merge has removed yet. A repeat that is erased or expires before
    a merge stays in the counters: `uncorrected` is the maximum number of such repeats.
    """

    events: dict[str, Counter[SampleEvent]] = field(
        default_factory=lambda: {name: Counter() for name in PROFILES}
    )
    erased: dict[str, datetime] = field(default_factory=dict)
    refused: set[str] = field(default_factory=set)
    retention_days: int = 395
    accepted_count: int = 0
    sent: dict[tuple[SampleEvent, ...], set[int]] = field(default_factory=dict)
    pending_repeats: Counter[str] = field(default_factory=Counter)
    uncorrected: int = 0

    def accepts(self, event: SampleEvent) -> bool:
        too_old = event.at < datetime.now(UTC) - timedelta(days=self.retention_days)
        before_erasure = event.profile in self.erased and event.at <= self.erased[event.profile]
        return not (too_old or before_erasure or event.profile in self.refused)

    def add(self, event: SampleEvent) -> None:
        stored_events = self.events[event.profile]
        if event.id and stored_events[event]:
            self.pending_repeats[event.profile] += 1
            return
        stored_events[event] += 1
        self.accepted_count += 1

    def apply_retention(self, days: int) -> None:
        self.retention_days = days
        self.uncorrected += self.pending_repeats.total()
        earliest = datetime.now(UTC) - timedelta(days=days)
        for stored_events in self.events.values():
            for event in [event for event in stored_events if event.at < earliest]:
                del stored_events[event]


sample_events = st.builds(
    SampleEvent,
    PROFILE_IDS,
    ITEM_IDS,
    st.integers(1, 390),
    st.sampled_from(["", *(str(n) for n in range(1, 6))]),
)
# Equal ids are equal events: the item and the time are derived from the id.
identified_events = sample_events.map(
    lambda event: (
        event._replace(item=ITEMS[int(event.id) % 3], days_ago=10 * int(event.id)) if event.id else event
    )
)


class TenantStateMachine(RuleBasedStateMachine):
    """`tenant` and `actor` are set on a subclass for each example."""

    tenant: TenantRef
    actor: Actor

    def __init__(self) -> None:
        super().__init__()
        self.reference = ReferenceModel()
        self.tenant = self.open()
        with scope(self.tenant, actor=self.actor) as s:
            catalog.upsert_items(s, [ItemInput(id=name, title=name.title()) for name in ITEMS])

    def open(self) -> TenantRef:
        """A new tenant."""
        raise AssertionError("set on the subclass")

    @rule(batch=st.lists(identified_events, min_size=1, max_size=8))
    def ingest(self, batch: list[SampleEvent]) -> None:
        self._send(batch)

    @precondition(lambda self: self.reference.sent)
    @rule(number=st.integers(0, 10**6))
    def repeat_batch(self, number: int) -> None:
        """Sends an earlier batch again. Erasure, consent or retention may have changed in between."""
        self._send(list([*self.reference.sent][number % len(self.reference.sent)]))

    def _send(self, batch: list[SampleEvent]) -> None:
        with scope(self.tenant, actor=self.actor) as s:
            receipt = record_events(s, [event.to_input() for event in batch])
        attempted_rows = self.reference.sent.get(tuple(batch), set(range(len(batch))))
        rejected = {row for row in attempted_rows if not self.reference.accepts(batch[row])}
        assert {error.row for error in receipt.rejected} == rejected
        assert receipt.batch_repeated == (not attempted_rows)
        assert receipt.duplicates <= len(batch) - len(rejected)
        self.reference.sent[tuple(batch)] = rejected
        for row in sorted(attempted_rows - rejected):
            self.reference.add(batch[row])

    @rule(profile_id=PROFILE_IDS, item=ITEM_IDS, count=st.integers(500, 1000))
    def ingest_many(self, profile_id: str, item: str, count: int) -> None:
        """Sends enough events to fill chunks."""
        batch = [SampleEvent(profile_id, item, 3, "")] * count
        if not self.reference.accepts(batch[0]):
            return
        with scope(self.tenant, actor=self.actor) as s:
            receipt = record_events(s, [event.to_input() for event in batch])
        for event in batch if not receipt.batch_repeated else []:
            self.reference.add(event)
        self.reference.sent[tuple(batch)] = set()

    @rule(profile_id=PROFILE_IDS)
    def merge(self, profile_id: str) -> None:
        with scope(self.tenant, actor=self.actor) as s:
            merge_profiles(s, [derive_profile_key(s, profile_id)])
        self.reference.pending_repeats[profile_id] = 0

    @rule(profile_id=PROFILE_IDS)
    def erase(self, profile_id: str) -> None:
        self.reference.erased[profile_id] = erase_profile(self.tenant, profile_id, actor=self.actor).erased_at
        self.reference.events[profile_id].clear()
        self.reference.uncorrected += self.reference.pending_repeats.pop(profile_id, 0)
        self.reference.refused.discard(profile_id)

    @rule(profile_id=PROFILE_IDS, allowed=st.booleans())
    def set_consent(self, profile_id: str, allowed: bool) -> None:
        with scope(self.tenant, actor=self.actor) as s:
            profiles.upsert_profiles(
                s, [ProfileInput(id=profile_id, consent="granted" if allowed else "refused")]
            )
        (self.reference.refused.discard if allowed else self.reference.refused.add)(profile_id)

    @precondition(lambda self: self.reference.retention_days > 60)
    @rule(days=st.integers(20, 300))
    def shorten_retention(self, days: int) -> None:
        days = min(days, self.reference.retention_days)
        with scope(self.tenant, actor=self.actor) as s:
            update_privacy(s, structs.replace(tenant_state.get_state(s).privacy, event_retention_days=days))
        enforce_retention(self.tenant, actor=self.actor)
        self.reference.apply_retention(days)

    @rule(profile_id=PROFILE_IDS)
    def export(self, profile_id: str) -> None:
        lines = [
            line
            for line in export_profile(self.tenant, profile_id, actor=self.actor)
            if line["type"] == "event"
        ]
        expected = [event.item for event in self.reference.events[profile_id].elements()]
        assert sorted(line["item_id"] for line in lines) == sorted(expected)

    @rule()
    def fold(self) -> None:
        with scope(self.tenant, actor=self.actor) as s:
            counters.fold_counters(s)

    @rule()
    def train(self) -> None:
        """Runs the job twice through the function of the worker. It ends once and makes at most one version."""
        job_id = request_training(self.tenant, self.actor)
        before = self._list_versions()
        for _ in range(2):
            run_training_job(self.tenant, job_id, owner="machine", actor=self.actor)
        with scope(self.tenant, actor=self.actor) as s:
            state = jobs.get_job(s, job_id).state
        assert state in ("succeeded", "failed")
        assert len(self._list_versions()) - len(before) == int(state == "succeeded")

    @rule()
    def roll_back(self) -> None:
        with scope(self.tenant, actor=self.actor) as s:
            current_number, target = queries.get_active_number(s), queries.find_roll_back_target(s)
            try:
                restored_version = registry.roll_back(s, expected=current_number).version
            except NotFound:
                assert target is None
            else:
                assert target is not None
                assert restored_version == target.version == queries.get_active_number(s)

    def _list_versions(self) -> list[int]:
        with scope(self.tenant, actor=self.actor) as s:
            return [version.version for version in queries.list_versions(s)]

    @invariant()
    def check_histories(self) -> None:
        with scope(self.tenant, actor=self.actor) as s:
            sizes = {
                profile_id: timeline.load_history(
                    s, derive_profile_key(s, profile_id), limit=10**6
                ).events.size
                for profile_id in PROFILES
            }
        expected = {
            profile_id: stored_events.total() for profile_id, stored_events in self.reference.events.items()
        }
        assert {profile_id: min(n, 5000) for profile_id, n in sizes.items()} == {
            profile_id: min(n, 5000) for profile_id, n in expected.items()
        }

    @invariant()
    def check_active_version(self) -> None:
        with scope(self.tenant, actor=self.actor) as s:
            active_versions = [version for version in queries.list_versions(s) if version.is_active]
            active_number = queries.get_active_number(s)
        assert [version.version for version in active_versions] == (
            [] if active_number is None else [active_number]
        )
        for version in active_versions:
            assert artefacts.read_artefact(self.tenant, version.artefact_id, version.manifest)

    def teardown(self) -> None:
        """After all merges, the stored, scanned and counted events are the accepted events."""
        for profile_id in PROFILES:
            self.merge(profile_id)
        scanned = sorted(
            events.size for _, events in timeline.scan_histories(self.tenant, actor=self.actor, page_size=2)
        )
        expected = sorted(
            stored_events.total() for stored_events in self.reference.events.values() if stored_events
        )
        assert scanned == expected
        with scope(self.tenant, actor=self.actor) as s:
            assert timeline.count_events(s) == sum(expected)
            rows = counter_queries.list_daily_counts(
                s, (NOW - timedelta(days=500)).date(), datetime.now(UTC).date()
            )
        surplus = sum(row.count for row in rows if row.metric == "events") - self.reference.accepted_count
        assert 0 <= surplus <= self.reference.uncorrected
