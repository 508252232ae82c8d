"""A stranger with an API key of all scopes requests another tenant's objects and learns nothing."""

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
from tests.stranger.probing import ProbeResults, order_in_turns, report_results, send_both
from tests.stranger.targets import Target, build_absent_target, create_targets

TenantPair = tuple[ProbeTenant, ProbeTenant]
Rows = dict[str, tuple[int, str]]
READ_OPERATIONS = {
    operation.name
    for _, operations in ROUTES
    for operation in operations
    if operation.required_scope.endswith(":read")
}


@pytest.fixture(autouse=True)
def quiet_log(caplog: pytest.LogCaptureFixture) -> None:
    """Django logs every refusal, and nearly all of these requests are refused."""
    caplog.set_level("CRITICAL", "django.request")


@pytest.fixture
def tenant_pair(database: None) -> Iterator[TenantPair]:
    attacker, victim = prepare_tenants("eu", InProcessClient())
    yield attacker, victim
    revoke_keys(attacker, victim)
    serving.stop_snapshot_cache()


def send_attacks(
    key: str,
    is_selected: Callable[[AttackedOperation], bool],
    target_pairs: list[tuple[Target, Target]],
    count: int,
) -> ProbeResults:
    """Sends `count` requests for foreign objects, each with the same request for an absent one."""
    client, results = InProcessClient(), ProbeResults()
    variants = order_in_turns(operation for operation in list_operations(client) if is_selected(operation))
    turns = ((pair, variant) for pair in cycle(target_pairs) for variant in variants)
    for (foreign, absent), (operation, variant) in islice(turns, count):
        send_both(partial(client, key=key), results, partial(variant, operation), foreign, absent)
    return results


def is_read(operation: AttackedOperation) -> bool:
    return operation.name in READ_OPERATIONS


def is_write(operation: AttackedOperation) -> bool:
    return operation.name not in READ_OPERATIONS


def create_target_pairs(victim: ProbeTenant, count: int) -> list[tuple[Target, Target]]:
    return [
        (target, build_absent_target(target)) for target in create_targets(InProcessClient(), victim, count)
    ]


def list_changed_tables(before: Rows, victim: ProbeTenant) -> list[str]:
    """Tables of the victim whose fingerprint changed."""
    return [
        table
        for table, digest in fingerprint(victim.tenant.ref, excluded_tables=()).items()
        if digest != before[table]
    ]


@pytest.mark.proof(row=1)
@pytest.mark.timeout(3000)
def test_reading_as_a_stranger_shows_nothing(tenant_pair: TenantPair, scale: Any, figure: Any) -> None:
    attacker, victim = tenant_pair
    target_pairs = create_target_pairs(victim, scale(2, 40))
    before = fingerprint(victim.tenant.ref, excluded_tables=())
    results = send_attacks(attacker.key, is_read, target_pairs, scale(240, 20_000))
    report_results(
        figure, "API reads by a stranger", results, list_changed_tables(before, victim), len(before)
    )


@pytest.mark.proof(row=1)
@pytest.mark.timeout(3000)
def test_writing_as_a_stranger_changes_nothing(tenant_pair: TenantPair, scale: Any, figure: Any) -> None:
    attacker, victim = tenant_pair
    target_pairs = create_target_pairs(victim, scale(2, 10))
    before = fingerprint(victim.tenant.ref, excluded_tables=())
    results = send_attacks(attacker.key, is_write, target_pairs, scale(160, 5_000))
    report_results(
        figure, "API writes by a stranger", results, list_changed_tables(before, victim), len(before)
    )


@pytest.mark.proof(row=1)
def test_the_same_requests_succeed_with_the_victims_key(
    tenant_pair: TenantPair, scale: Any, figure: Any
) -> None:
    _attacker, victim = tenant_pair
    target_pairs = create_target_pairs(victim, 1)
    before = fingerprint(victim.tenant.ref, excluded_tables=())
    reads = send_attacks(victim.key, is_read, target_pairs, scale(60, 500))
    send_attacks(victim.key, is_write, target_pairs, scale(60, 500))
    changed = list_changed_tables(before, victim)
    n_leaks, n_differences = len(reads.leaks), len(reads.differences)
    assert figure(
        "control: reads with a stolen key that show foreign data",
        n_leaks,
        of=reads.n_requests,
        passes=n_leaks > 9,
    )
    assert figure(
        "control: reads with a stolen key that tell foreign from absent",
        n_differences,
        of=reads.n_requests,
        passes=n_differences > 9,
    )
    assert figure(
        "control: tables changed with a stolen key", len(changed), of=len(before), passes=len(changed) > 5
    )


@pytest.mark.proof(row=1)
def test_ids_used_by_both_tenants_resolve_to_the_callers_objects(
    tenant_pair: TenantPair, figure: Any
) -> None:
    attacker, victim = tenant_pair
    client = InProcessClient()
    bodies = [
        client(operation.build_request(attacker.mirrored_ids), key=attacker.key).body
        for operation in list_operations(client)
        if is_read(operation)
    ]
    n_own = sum(attacker.canary.encode() in body for body in bodies)
    n_foreign = sum(victim.canary.encode() in body for body in bodies)
    assert figure(
        "API reads of mirrored ids that show one's own canary", n_own, of=len(bodies), passes=n_own > 6
    )
    assert figure(
        "API reads of mirrored ids that show the other's", n_foreign, of=len(bodies), passes=n_foreign == 0
    )
