"""Answers of a model version with what followed them, from receipts and timeline. Nothing of it is written down."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from uuid import UUID

import numpy as np

from recommender.evaluation.live import SIGNALS, Answers, Signal
from recommender.types import Bools, Ints, Longs
from tenants.data.queries import receipts, space, timeline
from tenants.data.queries.receipts import Answered
from tenants.data.records import Records
from tenants.data.types import EventKind
from tenants.regions import TenantRef
from tenants.scope import Actor, scope

CLOCKS_DIFFER_BY = timedelta(minutes=5)
MOST_ANSWERS = 100_000
CONVERSION_WEIGHT = 3.0
PERSONAL_STAGES = ("model", "model_session")
TRIED_IN_THE_PORTAL = "portal."
_PAGE = 5_000


@dataclass
class _Column:
    """Answers of one version while they are read."""

    ids: list[int] = field(default_factory=list)
    at: list[int] = field(default_factory=list)
    profile: list[int] = field(default_factory=list)
    place: list[int] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class _Side:
    """By answer, ascending by hash. Times are milliseconds."""

    hash: np.ndarray[tuple[int], np.dtype[np.uint64]]
    at: Longs
    profile: Ints
    place: Ints
    followed: Mapping[Signal, Bools]

    def mark(self, records: Records, signal: Signal, within: timedelta) -> None:
        """What came after an answer, within the time in which it counts."""
        if not self.hash.size or not records.size:
            return
        row = np.minimum(np.searchsorted(self.hash, records["recommendation"]), self.hash.size - 1)
        late = records["at"].astype(np.int64) - self.at[row]
        known = self.hash[row] == records["recommendation"]
        known &= (late >= -_ms(CLOCKS_DIFFER_BY)) & (late <= _ms(within))
        self.followed[signal][row[known]] = True

    def settled(self, until_ms: int, within: timedelta) -> Answers:
        """Those whose time to be followed was over at that moment."""
        old = self.at + _ms(within) <= until_ms
        return Answers(self.profile[old], self.place[old], {n: f[old] for n, f in self.followed.items()})


def answers(
    tenant: TenantRef,
    versions: tuple[str, str],
    *,
    turned_at: datetime,
    window: timedelta,
    within: timedelta,
    actor: Actor,
) -> tuple[Answers, Answers]:
    """Of the version that serves since `turned_at`, and of the one before within `window` before that.

    At most MOST_ANSWERS of each, the newest. Only answers of the model itself, asked for outside the portal, and only
    those with the whole time behind them: until the newest event that came in, for a client may send events late.
    """
    now = datetime.now(UTC)
    numbers: tuple[dict[bytes, int], dict[str, int]] = ({}, {})
    newer = _read(tenant, versions[0], max(turned_at, now - window), now, numbers, actor)
    older = _read(tenant, versions[1], turned_at - window, turned_at, numbers, actor)
    newest = _follow(tenant, (newer, older), turned_at - window, within, actor)
    until = min(newest, _ms_of(now))
    return newer.settled(until, within), older.settled(until, within)


def signal_kinds(kinds: Mapping[str, EventKind]) -> dict[Signal, list[int]]:
    """Clicks are of that name. Conversions weigh at least 3 (cart, purchase, or as the tenant set it)."""
    return {
        "clicks": [kinds["click"].number] if "click" in kinds else [],
        "conversions": [kind.number for kind in kinds.values() if kind.weight >= CONVERSION_WEIGHT],
        "dismissals": [kind.number for kind in kinds.values() if kind.weight < 0],
    }


def _read(
    tenant: TenantRef,
    version: str,
    since: datetime,
    until: datetime,
    numbers: tuple[dict[bytes, int], dict[str, int]],
    actor: Actor,
) -> _Side:
    people, places = numbers
    column = _Column()
    for one in _pages(tenant, since, until, actor):
        facts = one.facts
        if facts["model"] != version or facts["stage"] not in PERSONAL_STAGES:
            continue
        if facts["scenario"].startswith(TRIED_IN_THE_PORTAL):
            continue
        key = one.profile_key or one.id.bytes
        column.ids.append(one.id.int)
        column.at.append(one.at_ms)
        column.profile.append(people.setdefault(key, len(people)))
        column.place.append(places.setdefault(facts["scenario"], len(places)))
        if len(column.ids) == MOST_ANSWERS:
            break
    return _side(tenant, column)


def _pages(tenant: TenantRef, since: datetime, until: datetime, actor: Actor) -> Iterator[Answered]:
    before = receipts.before_moment(until)
    while True:
        with scope(tenant, actor=actor) as s:
            page = receipts.between(s, since, before, limit=_PAGE)
        yield from page
        if len(page) < _PAGE:
            return
        before = page[-1].id


def _side(tenant: TenantRef, column: _Column) -> _Side:
    from_int = [UUID(int=one) for one in column.ids]
    hashed = np.array(receipts.hashes(tenant, from_int), dtype=np.uint64)
    order = np.argsort(hashed, kind="stable")
    return _Side(
        hash=hashed[order],
        at=np.array(column.at, np.int64)[order],
        profile=np.array(column.profile, np.int32)[order],
        place=np.array(column.place, np.int32)[order],
        followed={name: np.zeros(order.size, np.bool_) for name in SIGNALS},
    )


def _follow(
    tenant: TenantRef, sides: tuple[_Side, _Side], since: datetime, within: timedelta, actor: Actor
) -> int:
    """Marks what followed; the time of the newest event of any kind, in milliseconds."""
    with scope(tenant, actor=actor) as s:
        kinds = signal_kinds(space.state(s).event_kinds)
    newest = 0
    for _key, found in timeline.recent(tenant, since, actor=actor):
        newest = max(newest, int(found["at"].max(initial=0)))
        named = found[found["recommendation"] != 0]
        for signal, numbers in kinds.items():
            mine = named[np.isin(named["kind"], numbers)]
            for side in sides:
                side.mark(mine, signal, within)
    return newest


def _ms(span: timedelta) -> int:
    return span // timedelta(milliseconds=1)


def _ms_of(moment: datetime) -> int:
    return int(moment.timestamp() * 1000)
