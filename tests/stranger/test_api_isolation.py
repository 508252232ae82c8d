"""A stranger with every scope of its own asks for another tenant's things in every way, and learns nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from itertools import cycle, islice
from typing import Any

import pytest

from lepton_platform.api.routes import ROUTES
from lepton_platform.management.isolation.attack import AttackedOperation, list_operations
from lepton_platform.management.isolation.clients import InProcessClient
from lepton_platform.management.isolation.rows import fingerprint
from lepton_platform.management.isolation.tenant_pair import ProbeTenant, prepare_tenants, revoke_keys
from recommender.serving.snapshot import cache as serving
from tests.stranger.probing import Tally, ask_both, hold, in_turns
from tests.stranger.targets import Target, absent_like, targets

Sides = tuple[ProbeTenant, ProbeTenant]
Rows = dict[str, tuple[int, str]]
READING = {one.name for _, declared in ROUTES for one in declared if one.required_scope.endswith(":read")}


@pytest.fixture(autouse=True)
def quiet_log(caplog: pytest.LogCaptureFixture) -> None:
    """Django logs every refusal, and nearly all of these requests are refused."""
    caplog.set_level("CRITICAL", "django.request")


@pytest.fixture
def sides(database: None) -> Iterator[Sides]:
    attacker, victim = prepare_tenants("eu", InProcessClient())
    yield attacker, victim
    revoke_keys(attacker, victim)
    serving.stop_snapshot_cache()


def besiege(
    key: str, wanted: Callable[[AttackedOperation], bool], pairs: list[tuple[Target, Target]], count: int
) -> Tally:
    """`count` questions for foreign things, each beside the same question for an absent one."""
    door, tally = InProcessClient(), Tally()
    chosen = in_turns(one for one in list_operations(door) if wanted(one))
    turns = ((pair, way) for pair in cycle(pairs) for way in chosen)
    for (foreign, absent), (operation, way) in islice(turns, count):
        ask_both(partial(door, key=key), tally, partial(way, operation), foreign, absent)
    return tally


def is_read(operation: AttackedOperation) -> bool:
    return operation.name in READING


def is_write(operation: AttackedOperation) -> bool:
    return operation.name not in READING


def pairs(victim: ProbeTenant, count: int) -> list[tuple[Target, Target]]:
    return [(one, absent_like(one)) for one in targets(InProcessClient(), victim, count)]


def changes(before: Rows, victim: ProbeTenant) -> list[str]:
    """Tables of the victim that are not as they were."""
    return [
        name
        for name, hashed in fingerprint(victim.tenant.ref, excluded_tables=()).items()
        if hashed != before[name]
    ]


@pytest.mark.proof(row=1)
@pytest.mark.timeout(3000)
def test_reading_as_a_stranger_shows_nothing(sides: Sides, scale: Any, figure: Any) -> None:
    attacker, victim = sides
    things = pairs(victim, scale(2, 40))
    before = fingerprint(victim.tenant.ref, excluded_tables=())
    tally = besiege(attacker.key, is_read, things, scale(240, 20_000))
    hold(figure, "API reads by a stranger", tally, changes(before, victim), len(before))


@pytest.mark.proof(row=1)
@pytest.mark.timeout(3000)
def test_writing_as_a_stranger_changes_nothing(sides: Sides, scale: Any, figure: Any) -> None:
    attacker, victim = sides
    things = pairs(victim, scale(2, 10))
    before = fingerprint(victim.tenant.ref, excluded_tables=())
    tally = besiege(attacker.key, is_write, things, scale(160, 5_000))
    hold(figure, "API writes by a stranger", tally, changes(before, victim), len(before))


@pytest.mark.proof(row=1)
def test_the_same_requests_succeed_with_the_victims_key(sides: Sides, scale: Any, figure: Any) -> None:
    _attacker, victim = sides
    things = pairs(victim, 1)
    before = fingerprint(victim.tenant.ref, excluded_tables=())
    reads = besiege(victim.key, is_read, things, scale(60, 500))
    besiege(victim.key, is_write, things, scale(60, 500))
    changed = changes(before, victim)
    seen, told = len(reads.gave_away), len(reads.told_apart)
    assert figure(
        "control: reads with a stolen key that show foreign data", seen, of=reads.asked, passes=seen > 9
    )
    assert figure(
        "control: reads with a stolen key that tell foreign from absent",
        told,
        of=reads.asked,
        passes=told > 9,
    )
    assert figure(
        "control: tables changed with a stolen key", len(changed), of=len(before), passes=len(changed) > 5
    )


@pytest.mark.proof(row=1)
def test_ids_used_by_both_tenants_resolve_to_the_callers_objects(sides: Sides, figure: Any) -> None:
    attacker, victim = sides
    door = InProcessClient()
    answers = [
        door(one.build_request(attacker.mirrored_ids), key=attacker.key).body
        for one in list_operations(door)
        if is_read(one)
    ]
    own = sum(attacker.canary.encode() in body for body in answers)
    foreign = sum(victim.canary.encode() in body for body in answers)
    assert figure(
        "API reads of mirrored ids that show one's own canary", own, of=len(answers), passes=own > 6
    )
    assert figure(
        "API reads of mirrored ids that show the other's", foreign, of=len(answers), passes=foreign == 0
    )
