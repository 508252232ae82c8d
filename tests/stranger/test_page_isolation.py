"""A signed-in member of one tenant requests every page with the URLs and form fields of another tenant."""

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
from tests.stranger.browser import create_browser
from tests.stranger.probing import ProbeResults, SendRequest, report_results, send_both
from tests.stranger.targets import Target, build_absent_target, create_member, create_targets
from tests.stranger.urls import PageUrl, list_page_urls

TenantPair = tuple[ProbeTenant, ProbeTenant]
Pairs = list[tuple[Target, Target]]


@pytest.fixture(autouse=True)
def quiet_log(caplog: pytest.LogCaptureFixture) -> None:
    """Django logs every refusal, and nearly all of these requests are refused."""
    caplog.set_level("CRITICAL", "django.request")


@pytest.fixture
def tenant_pair(database: None, settings: Any) -> Iterator[TenantPair]:
    settings.LEPTON_STAFF_NEEDS_MFA = False
    attacker, victim = prepare_tenants("eu", InProcessClient())
    yield attacker, victim
    revoke_keys(attacker, victim)
    serving.stop_snapshot_cache()


def send_to_foreign_pages(
    send: SendRequest, results: ProbeResults, foreign: Target, absent: Target, urls: list[PageUrl]
) -> None:
    for url in urls:
        for build_request in (url.get, url.post):
            send_both(send, results, build_request, foreign, absent)


def send_to_own_pages(
    send: SendRequest, slug: str, results: ProbeResults, foreign: Target, absent: Target
) -> None:
    """Reads every page, posts every form, and reads every page again.

    A page that lists the object that its form has just added differs by it: only its status is compared.
    """
    own_urls = [url for url in list_page_urls() if "slug" in url.parameters]
    gets = [partial(url.get, slug=slug) for url in own_urls]
    for get in gets:
        send_both(send, results, get, foreign, absent)
    for url in own_urls:
        compare = get_status if url.parameters == {"slug"} else None
        send_both(send, results, partial(url.post, slug=slug), foreign, absent, compare=compare)
    for get in gets:
        send_both(send, results, get, foreign, absent)


def get_status(answer: HttpResponse, _targets: Sequence[Target]) -> int:
    return answer.status


def load_victim_rows(victim: ProbeTenant, target_pairs: Pairs) -> dict[str, Any]:
    """All rows of the victim, and the directory's rows without a tenant column: the tenant itself and its users."""
    user_ids = [target.user_id for target, _ in target_pairs]
    emails = [target.email for target, _ in target_pairs]
    users = User.objects.filter(pk__in=user_ids) | User.objects.filter(email__in=emails)
    return {
        **fingerprint(victim.tenant.ref, excluded_tables=()),
        "tenant": [*Tenant.objects.filter(pk=victim.tenant.id).values()],
        "people": [*users.order_by("pk").values()],
    }


def create_target_pairs(victim: ProbeTenant, count: int) -> Pairs:
    return [
        (target, build_absent_target(target)) for target in create_targets(InProcessClient(), victim, count)
    ]


@pytest.mark.proof(row=1)
@pytest.mark.timeout(3000)
def test_pages_of_another_tenant_look_absent(tenant_pair: TenantPair, scale: Any, figure: Any) -> None:
    attacker, victim = tenant_pair
    target_pairs = create_target_pairs(victim, scale(1, 12))
    attack_all, results = bool(scale(0, 1)), ProbeResults()
    before = load_victim_rows(victim, target_pairs)
    urls = [url for url in list_page_urls() if url.parameters or attack_all]
    for foreign, absent in target_pairs:
        for user in (create_member(attacker), None)[: scale(1, 2)]:
            send_to_foreign_pages(create_browser(user, planted=foreign.slug), results, foreign, absent, urls)
    report_results(
        figure,
        "questions at another workspace's pages",
        results,
        list_changes(before, load_victim_rows(victim, target_pairs)),
        len(before),
    )


@pytest.mark.proof(row=1)
@pytest.mark.timeout(3000)
def test_pages_of_the_callers_tenant_ignore_foreign_ids(
    tenant_pair: TenantPair, scale: Any, figure: Any
) -> None:
    attacker, victim = tenant_pair
    target_pairs = create_target_pairs(victim, scale(1, 12))
    results, user = ProbeResults(), create_member(attacker)
    before = load_victim_rows(victim, target_pairs)
    for foreign, absent in target_pairs:
        send_to_own_pages(
            create_browser(user, planted=foreign.slug), attacker.tenant.slug, results, foreign, absent
        )
    report_results(
        figure,
        "questions with foreign ids at one's own pages",
        results,
        list_changes(before, load_victim_rows(victim, target_pairs)),
        len(before),
    )


@pytest.mark.proof(row=1)
def test_a_member_of_the_other_tenant_sees_its_pages(tenant_pair: TenantPair, figure: Any) -> None:
    _attacker, victim = tenant_pair
    (foreign, absent), results = create_target_pairs(victim, 1)[0], ProbeResults()
    member_browser = create_browser(User.objects.get(pk=foreign.user_id), planted=foreign.slug)
    send_to_foreign_pages(
        member_browser,
        results,
        foreign,
        absent,
        [url for url in list_page_urls() if "slug" in url.parameters],
    )
    n_leaks, n_differences = len(results.leaks), len(results.differences)
    assert figure(
        "control: pages that show a member its canary", n_leaks, of=results.n_requests, passes=n_leaks > 5
    )
    assert figure(
        "control: pages that differ for a member",
        n_differences,
        of=results.n_requests,
        passes=n_differences > 12,
    )


def list_changes(before: dict[str, Any], after: dict[str, Any]) -> list[str]:
    return [name for name, content in after.items() if content != before[name]]
