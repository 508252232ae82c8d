"""A signed-in member of one workspace at every page, with the addresses and form fields of another."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any

import pytest

from lepton_platform.http_client import HttpResponse
from lepton_platform.management.isolation.clients import InProcessClient
from lepton_platform.management.isolation.rows import fingerprint
from lepton_platform.management.isolation.tenant_pair import ProbeTenant, prepare_tenants, revoke_keys
from recommender.serving.snapshot import cache as serving
from tenants.control.models import Tenant, User
from tests.stranger.urls import Address, addresses
from tests.stranger.probing import Ask, Tally, ask_both, hold
from tests.stranger.browser import browser
from tests.stranger.targets import Target, absent_like, member, targets

Sides = tuple[ProbeTenant, ProbeTenant]
Pairs = list[tuple[Target, Target]]


@pytest.fixture(autouse=True)
def quiet_log(caplog: pytest.LogCaptureFixture) -> None:
    """Django logs every refusal, and nearly all of these requests are refused."""
    caplog.set_level("CRITICAL", "django.request")


@pytest.fixture
def sides(database: None, settings: Any) -> Iterator[Sides]:
    settings.LEPTON_STAFF_NEEDS_MFA = False
    attacker, victim = prepare_tenants("eu", InProcessClient())
    yield attacker, victim
    revoke_keys(attacker, victim)
    serving.stop_snapshot_cache()


def at_theirs(ask: Ask, tally: Tally, foreign: Target, absent: Target, chosen: list[Address]) -> None:
    for address in chosen:
        for make in (address.get, address.post):
            ask_both(ask, tally, make, foreign, absent)


def at_ones_own(ask: Ask, slug: str, tally: Tally, foreign: Target, absent: Target) -> None:
    """Reads, then changes, then reads what the changes left. A page that lists what its form has just added differs by
    that: of those only the status is compared."""
    mine = [one for one in addresses() if "slug" in one.parameters]
    gets = [partial(one.get, slug=slug) for one in mine]
    for get in gets:
        ask_both(ask, tally, get, foreign, absent)
    for one in mine:
        compare = status_of if one.parameters == {"slug"} else None
        ask_both(ask, tally, partial(one.post, slug=slug), foreign, absent, compare=compare)
    for get in gets:
        ask_both(ask, tally, get, foreign, absent)


def status_of(answer: HttpResponse, _either: Sequence[Target]) -> int:
    return answer.status


def rows(victim: ProbeTenant, things: Pairs) -> dict[str, Any]:
    """Everything that is the victim's, also the rows of the directory that have no tenant: itself and its people."""
    keys, emails = [one.user_id for one, _ in things], [one.email for one, _ in things]
    people = User.objects.filter(pk__in=keys) | User.objects.filter(email__in=emails)
    return {
        **fingerprint(victim.tenant.ref, excluded_tables=()),
        "tenant": [*Tenant.objects.filter(pk=victim.tenant.id).values()],
        "people": [*people.order_by("pk").values()],
    }


def pairs(victim: ProbeTenant, count: int) -> Pairs:
    return [(one, absent_like(one)) for one in targets(InProcessClient(), victim, count)]


@pytest.mark.proof(row=1)
@pytest.mark.timeout(3000)
def test_pages_of_another_tenant_look_absent(sides: Sides, scale: Any, figure: Any) -> None:
    attacker, victim = sides
    things, every, tally = pairs(victim, scale(1, 12)), bool(scale(0, 1)), Tally()
    before = rows(victim, things)
    chosen = [one for one in addresses() if one.parameters or every]
    for foreign, absent in things:
        for user in (member(attacker), None)[: scale(1, 2)]:
            at_theirs(browser(user, planted=foreign.slug), tally, foreign, absent, chosen)
    hold(
        figure,
        "questions at another workspace's pages",
        tally,
        changes(before, rows(victim, things)),
        len(before),
    )


@pytest.mark.proof(row=1)
@pytest.mark.timeout(3000)
def test_pages_of_the_callers_tenant_ignore_foreign_ids(sides: Sides, scale: Any, figure: Any) -> None:
    attacker, victim = sides
    things, tally, user = pairs(victim, scale(1, 12)), Tally(), member(attacker)
    before = rows(victim, things)
    for foreign, absent in things:
        at_ones_own(browser(user, planted=foreign.slug), attacker.tenant.slug, tally, foreign, absent)
    hold(
        figure,
        "questions with foreign ids at one's own pages",
        tally,
        changes(before, rows(victim, things)),
        len(before),
    )


@pytest.mark.proof(row=1)
def test_a_member_of_the_other_tenant_sees_its_pages(sides: Sides, figure: Any) -> None:
    _attacker, victim = sides
    (foreign, absent), tally = pairs(victim, 1)[0], Tally()
    inside = browser(User.objects.get(pk=foreign.user_id), planted=foreign.slug)
    at_theirs(inside, tally, foreign, absent, [one for one in addresses() if "slug" in one.parameters])
    seen, told = len(tally.gave_away), len(tally.told_apart)
    assert figure("control: pages that show a member its canary", seen, of=tally.asked, passes=seen > 5)
    assert figure("control: pages that differ for a member", told, of=tally.asked, passes=told > 12)


def changes(before: dict[str, Any], after: dict[str, Any]) -> list[str]:
    return [name for name, content in after.items() if content != before[name]]
