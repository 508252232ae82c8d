"""A tenant's space beside a small reference model: whatever is done in whatever order, both must agree."""

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
from tenants.data.queries import counters as counted
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
WHO, WHAT = st.sampled_from(PROFILES), st.sampled_from(ITEMS)


class Happened(NamedTuple):
    """`id` is empty where the client gave none. The same id always comes with the same time, as the API asks."""

    profile: str
    item: str
    days_ago: int
    id: str

    @property
    def at(self) -> datetime:
        return NOW - timedelta(days=self.days_ago, seconds=int(self.id or 0))

    def sent(self) -> EventInput:
        return EventInput(
            item_id=self.item, kind="view", profile_id=self.profile, at=self.at, id=self.id or None
        )


@dataclass
class Reference:
    """What must be known of each profile, and how many events were ever taken, repeats once.

    `sent` holds each batch with the rows that it could not place: only these are tried when it comes again.
    `waiting` are repeats that no merge has found yet. What is erased or too old before a merge comes stays counted:
    `uncorrected` says how many at most.
    """

    events: dict[str, Counter[Happened]] = field(
        default_factory=lambda: {name: Counter() for name in PROFILES}
    )
    erased: dict[str, datetime] = field(default_factory=dict)
    refused: set[str] = field(default_factory=set)
    kept_for_days: int = 395
    taken: int = 0
    sent: dict[tuple[Happened, ...], set[int]] = field(default_factory=dict)
    waiting: Counter[str] = field(default_factory=Counter)
    uncorrected: int = 0

    def takes(self, one: Happened) -> bool:
        too_old = one.at < datetime.now(UTC) - timedelta(days=self.kept_for_days)
        before_erasure = one.profile in self.erased and one.at <= self.erased[one.profile]
        return not (too_old or before_erasure or one.profile in self.refused)

    def add(self, one: Happened) -> None:
        stored = self.events[one.profile]
        if one.id and stored[one]:
            self.waiting[one.profile] += 1
            return
        stored[one] += 1
        self.taken += 1

    def keep_for(self, days: int) -> None:
        self.kept_for_days = days
        self.uncorrected += self.waiting.total()
        earliest = datetime.now(UTC) - timedelta(days=days)
        for stored in self.events.values():
            for event in [event for event in stored if event.at < earliest]:
                del stored[event]


happened = st.builds(
    Happened, WHO, WHAT, st.integers(1, 390), st.sampled_from(["", *(str(n) for n in range(1, 6))])
)
# One id is one event: item and time follow from it.
identified = happened.map(
    lambda one: one._replace(item=ITEMS[int(one.id) % 3], days_ago=10 * int(one.id)) if one.id else one
)


class Space(RuleBasedStateMachine):
    """`tenant` and `actor` are set on a subclass for each example."""

    tenant: TenantRef
    actor: Actor

    def __init__(self) -> None:
        super().__init__()
        self.reference = Reference()
        self.tenant = self.open()
        with scope(self.tenant, actor=self.actor) as s:
            catalog.upsert_items(s, [ItemInput(id=name, title=name.title()) for name in ITEMS])

    def open(self) -> TenantRef:
        """A new tenant."""
        raise AssertionError("set on the subclass")

    @rule(batch=st.lists(identified, min_size=1, max_size=8))
    def ingest(self, batch: list[Happened]) -> None:
        self._send(batch)

    @precondition(lambda self: self.reference.sent)
    @rule(number=st.integers(0, 10**6))
    def ingest_again(self, number: int) -> None:
        """One of the batches that were sent, whatever was erased, refused or shortened since."""
        self._send(list([*self.reference.sent][number % len(self.reference.sent)]))

    def _send(self, batch: list[Happened]) -> None:
        with scope(self.tenant, actor=self.actor) as s:
            receipt = record_events(s, [event.sent() for event in batch])
        tried = self.reference.sent.get(tuple(batch), set(range(len(batch))))
        rejected = {row for row in tried if not self.reference.takes(batch[row])}
        assert {error.row for error in receipt.rejected} == rejected
        assert receipt.batch_repeated == (not tried)
        assert receipt.duplicates <= len(batch) - len(rejected)
        self.reference.sent[tuple(batch)] = rejected
        for row in sorted(tried - rejected):
            self.reference.add(batch[row])

    @rule(who=WHO, item=WHAT, count=st.integers(500, 1000))
    def ingest_many(self, who: str, item: str, count: int) -> None:
        """So many that chunks settle."""
        batch = [Happened(who, item, 3, "")] * count
        if not self.reference.takes(batch[0]):
            return
        with scope(self.tenant, actor=self.actor) as s:
            receipt = record_events(s, [event.sent() for event in batch])
        for event in batch if not receipt.batch_repeated else []:
            self.reference.add(event)
        self.reference.sent[tuple(batch)] = set()

    @rule(who=WHO)
    def merge(self, who: str) -> None:
        with scope(self.tenant, actor=self.actor) as s:
            merge_profiles(s, [derive_profile_key(s, who)])
        self.reference.waiting[who] = 0

    @rule(who=WHO)
    def erase(self, who: str) -> None:
        self.reference.erased[who] = erase_profile(self.tenant, who, actor=self.actor).erased_at
        self.reference.events[who].clear()
        self.reference.uncorrected += self.reference.waiting.pop(who, 0)
        self.reference.refused.discard(who)

    @rule(who=WHO, allowed=st.booleans())
    def consent(self, who: str, allowed: bool) -> None:
        with scope(self.tenant, actor=self.actor) as s:
            profiles.upsert_profiles(s, [ProfileInput(id=who, consent="granted" if allowed else "refused")])
        (self.reference.refused.discard if allowed else self.reference.refused.add)(who)

    @precondition(lambda self: self.reference.kept_for_days > 60)
    @rule(days=st.integers(20, 300))
    def shorten_retention(self, days: int) -> None:
        days = min(days, self.reference.kept_for_days)
        with scope(self.tenant, actor=self.actor) as s:
            update_privacy(s, structs.replace(tenant_state.get_state(s).privacy, event_retention_days=days))
        enforce_retention(self.tenant, actor=self.actor)
        self.reference.keep_for(days)

    @rule(who=WHO)
    def export(self, who: str) -> None:
        lines = [
            line for line in export_profile(self.tenant, who, actor=self.actor) if line["type"] == "event"
        ]
        expected = [event.item for event in self.reference.events[who].elements()]
        assert sorted(line["item_id"] for line in lines) == sorted(expected)

    @rule()
    def fold(self) -> None:
        with scope(self.tenant, actor=self.actor) as s:
            counters.fold_counters(s)

    @rule()
    def train(self) -> None:
        """The worker's own function; a job ends once, and makes one version at most."""
        job_id = request_training(self.tenant, self.actor)
        before = self._versions()
        for _ in range(2):
            run_training_job(self.tenant, job_id, owner="machine", actor=self.actor)
        with scope(self.tenant, actor=self.actor) as s:
            state = jobs.get_job(s, job_id).state
        assert state in ("succeeded", "failed")
        assert len(self._versions()) - len(before) == int(state == "succeeded")

    @rule()
    def roll_back(self) -> None:
        with scope(self.tenant, actor=self.actor) as s:
            now, target = queries.get_active_number(s), queries.find_roll_back_target(s)
            try:
                back = registry.roll_back(s, expected=now).version
            except NotFound:
                assert target is None
            else:
                assert target is not None
                assert back == target.version == queries.get_active_number(s)

    def _versions(self) -> list[int]:
        with scope(self.tenant, actor=self.actor) as s:
            return [version.version for version in queries.list_versions(s)]

    @invariant()
    def histories_agree(self) -> None:
        with scope(self.tenant, actor=self.actor) as s:
            sizes = {
                who: timeline.load_history(s, derive_profile_key(s, who), limit=10**6).events.size
                for who in PROFILES
            }
        expected = {who: stored.total() for who, stored in self.reference.events.items()}
        assert {who: min(n, 5000) for who, n in sizes.items()} == {
            who: min(n, 5000) for who, n in expected.items()
        }

    @invariant()
    def one_version_serves_and_is_whole(self) -> None:
        with scope(self.tenant, actor=self.actor) as s:
            serving = [version for version in queries.list_versions(s) if version.is_active]
            named = queries.get_active_number(s)
        assert [version.version for version in serving] == ([] if named is None else [named])
        for version in serving:
            assert artefacts.read_artefact(self.tenant, version.artefact_id, version.manifest)

    def teardown(self) -> None:
        """After merging everything, what is stored, scanned and counted is what was taken."""
        for who in PROFILES:
            self.merge(who)
        scanned = sorted(
            events.size for _, events in timeline.scan_histories(self.tenant, actor=self.actor, page_size=2)
        )
        expected = sorted(stored.total() for stored in self.reference.events.values() if stored)
        assert scanned == expected
        with scope(self.tenant, actor=self.actor) as s:
            assert timeline.count_events(s) == sum(expected)
            rows = counted.list_daily_counts(s, (NOW - timedelta(days=500)).date(), datetime.now(UTC).date())
        surplus = sum(row.count for row in rows if row.metric == "events") - self.reference.taken
        assert 0 <= surplus <= self.reference.uncorrected
