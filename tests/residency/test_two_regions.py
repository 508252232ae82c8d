"""Two regions share a control plane. No data of one region is ever stored in the other."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from lepton_platform.http_client import HttpResponse
from lepton_platform.management.isolation.attack import list_operations
from lepton_platform.management.isolation.tenant_pair import ProbeIds
from tests.faults.platform import wait_until
from tests.residency.deployment import REGIONS, Installation, RegionDeployment, Servers, start_two_regions
from tests.residency.tenant_lifecycle import ALL_STEPS, TenantLifecycle
from tests.residency.trace_search import TraceKinds, insert_words, search_traces
from tests.residency.traces import read_contents, sample_ciphertexts

pytestmark = [pytest.mark.faults, pytest.mark.timeout(1500)]
Figure = Callable[..., bool]
DIRECTORY = {"control_tenant", "control_member", "control_apikey", "control_auditentry"}


@dataclass(frozen=True)
class Evidence:
    """Observations while both tenants run through their lifecycles."""

    foreign_key_statuses: list[int]
    changed_by_foreign_keys: set[str]
    reached_ports: dict[str, set[int]]
    trace_kinds: TraceKinds
    queue_mentions: dict[str, int]
    misaddressed_effects: dict[str, int]
    tables_with_tenants: set[str]
    planted: dict[str, set[str]]


@pytest.fixture(scope="module")
def installation() -> Iterator[Installation]:
    with tempfile.TemporaryDirectory(prefix="lepton-residency-") as folder:
        Path(folder).chmod(0o755)
        with start_two_regions(Path(folder)) as installation:
            yield installation


@pytest.fixture(scope="module")
def lifecycles(installation: Installation) -> dict[str, TenantLifecycle]:
    lifecycles = {deployment.region: TenantLifecycle(deployment) for deployment in installation.deployments}
    for lifecycle in lifecycles.values():
        lifecycle.open_tenant()
    return lifecycles


@pytest.fixture(scope="module")
def evidence(
    installation: Installation, lifecycles: dict[str, TenantLifecycle], request: pytest.FixtureRequest
) -> Evidence:
    profiles = 300 if request.config.getoption("--full") else 150
    foreign_key_statuses, changed = _send_foreign_keys(installation, lifecycles)
    reached: dict[str, set[int]] = {deployment.region: set() for deployment in installation.deployments}
    _run_steps(lifecycles, profiles, lambda: _record_ports(installation, reached))
    for lifecycle in lifecycles.values():
        lifecycle.record_ids()
        lifecycle.traces.ciphertexts += sample_ciphertexts(lifecycle.deployment)
    before_closing = search_traces(installation, lifecycles)
    for lifecycle in lifecycles.values():
        lifecycle.close_tenant()
    traces = {
        key: kinds | before_closing[key] for key, kinds in search_traces(installation, lifecycles).items()
    }
    mentions = {
        deployment.region: _count_queue_mentions(deployment, other.region)
        for deployment, other in installation.list_pairs()
    }
    misaddressed = {
        deployment.region: _send_misaddressed_tasks(deployment, other)
        for deployment, other in installation.list_pairs()
    }
    tables_with_tenants = {table for _c, table in _iter_tables_with_tenants(installation, lifecycles)}
    planted = {
        deployment.region: insert_words(deployment, lifecycles[other.region].traces)
        for deployment, other in installation.list_pairs()
    }
    return Evidence(
        foreign_key_statuses, changed, reached, traces, mentions, misaddressed, tables_with_tenants, planted
    )


def _run_steps(lifecycles: dict[str, TenantLifecycle], profiles: int, record: Callable[[], None]) -> None:
    """Runs each step in both regions before the next step, so that both regions are active."""
    steps: list[Callable[[TenantLifecycle], None]] = [
        lambda lifecycle: lifecycle.send_data(profiles),
        TenantLifecycle.send_twice,
        TenantLifecycle.refresh,
        TenantLifecycle.recommend,
        TenantLifecycle.train,
        TenantLifecycle.recommend,
        TenantLifecycle.roll_back_erase_and_rotate,
        TenantLifecycle.recommend,
    ]
    for step in steps:
        for lifecycle in lifecycles.values():
            step(lifecycle)
            record()


def _send_foreign_keys(
    installation: Installation, lifecycles: dict[str, TenantLifecycle]
) -> tuple[list[int], set[str]]:
    """Calls every operation with the key of the other region.

    Returns the statuses and the names of what has changed in any region.
    """
    all_servers = [installation.control, *installation.deployments]
    before = [_compute_state(servers) for servers in all_servers]
    statuses: list[int] = []
    for deployment, other in installation.list_pairs():
        responses = _send_every_operation(deployment, lifecycles[other.region])
        statuses += [response.status for response in responses]
    after = [_compute_state(servers) for servers in all_servers]
    changed: set[str] = set()
    for old, new in zip(before, after, strict=True):
        changed |= {name for name in old | new if old.get(name) != new.get(name)}
    return statuses, changed


def _compute_state(servers: Servers) -> dict[str, str]:
    cache_keys = {f"valkey {key!r}": "" for key in servers.list_cache_keys()}
    files = {str(path): "" for path in (servers.home / "objects").rglob("*")}
    return {
        **{f"{servers.home.name}: {name}": digest for name, digest in servers.compute_digests().items()},
        **cache_keys,
        **files,
    }


def _send_every_operation(deployment: RegionDeployment, foreign: TenantLifecycle) -> Iterator[HttpResponse]:
    """Paths, bodies and idempotency keys contain words of the foreign tenant."""
    word = foreign.traces.mint_word
    ids = ProbeIds(word(), word(), str(uuid4()), "1")
    for operation in list_operations(deployment.send_request):
        yield deployment.send_request(
            operation.build_request(ids), foreign.key, **{"Idempotency-Key": word()}
        )


def _record_ports(installation: Installation, reached: dict[str, set[int]]) -> None:
    for deployment in installation.deployments:
        reached[deployment.region] |= deployment.find_connected_ports()


def _count_queue_mentions(deployment: RegionDeployment, other: str) -> int:
    """How often the files of this broker contain the name of the other region's queue."""
    return sum(content.count(f"region_{other}".encode()) for content in read_contents(deployment)["queue"])


def _send_misaddressed_tasks(deployment: RegionDeployment, other: RegionDeployment) -> int:
    """Sends a task of the other region to the broker of this region, once to each region's queue.

    No worker may consume the queue of the other region. The worker of this region must refuse the task.
    Returns the number of messages that were consumed and tables that changed.
    """
    before = {**deployment.compute_digests(), **other.compute_digests()}
    ids = {"tenant_id": str(uuid4()), "job_id": str(uuid4()), "region": other.region}
    deployment.send_task("lepton.train", queue=f"region_{other.region}", **ids)
    deployment.send_task("lepton.train", queue=f"region_{deployment.region}", **ids)
    log = deployment.home / "logs" / "worker.log"
    wait_until(lambda: b"RegionNotServed" in log.read_bytes(), 60, "the worker refuses the task")
    after = {**deployment.compute_digests(), **other.compute_digests()}
    with deployment.connect_valkey(0) as broker:
        n_waiting = int(broker.llen(f"region_{other.region}"))
    return max(0, 1 - n_waiting) + sum(after[name] != before[name] for name in before)


def _iter_tables_with_tenants(
    installation: Installation, lifecycles: dict[str, TenantLifecycle]
) -> Iterator[tuple[Any, str]]:
    for connection, table in installation.control.iter_tables():
        with connection.cursor().copy(f"COPY {table} TO STDOUT") as rows:
            content = b"".join(bytes(block) for block in rows)
        if any("tenant" in lifecycle.traces.find_kinds([content]) for lifecycle in lifecycles.values()):
            yield connection, table


def _find_misplaced_traces(evidence: Evidence) -> set[tuple[str, str, str]]:
    """Where traces of a region were found in the other region."""
    return {
        key for key, kinds in evidence.trace_kinds.items() if key[1] in REGIONS and key[0] != key[1] and kinds
    }


@pytest.mark.proof(row=28)
def test_nothing_of_one_region_is_found_in_the_other(
    evidence: Evidence, lifecycles: dict[str, TenantLifecycle], figure: Figure
) -> None:
    planted = sum(len(lifecycle.traces.words) for lifecycle in lifecycles.values())
    assert [set(lifecycle.completed_steps) for lifecycle in lifecycles.values()] == [ALL_STEPS, ALL_STEPS]
    traces = _find_misplaced_traces(evidence)
    what = "places that hold a word, id or ciphertext of the other region, of so many words planted"
    assert figure(what, len(traces), of=planted, passes=traces == set()), traces


@pytest.mark.proof(row=28)
def test_traces_are_found_in_their_region_and_planted_words_are_detected(
    evidence: Evidence, figure: Figure
) -> None:
    for region in REGIONS:
        assert evidence.trace_kinds[region, region, "databases"] == {"tenant", "id", "ciphertext"}
        assert {"tenant", "id"} <= evidence.trace_kinds[region, region, "queue"]
        assert {"tenant", "id"} <= evidence.trace_kinds[region, region, "store"]
    traces = sum(map(len, evidence.planted.values()))
    what = "places of a region where a planted word of the other one is found"
    assert figure(what, traces, of=8, passes=traces == 8), evidence.planted


@pytest.mark.proof(row=28)
def test_the_control_plane_contains_the_tenant_and_none_of_its_data(
    evidence: Evidence, figure: Figure
) -> None:
    control_traces = [kinds for key, kinds in evidence.trace_kinds.items() if key[1] == "control"]
    kinds = set().union(*control_traces)
    assert kinds >= {"tenant"}
    assert {"control_tenant"} <= evidence.tables_with_tenants <= DIRECTORY
    data = kinds - {"tenant"}
    assert figure("kinds of tenants' data in the control plane", len(data), of=3, passes=data == set()), data


@pytest.mark.proof(row=28)
def test_a_key_of_the_other_region_gets_421_and_changes_nothing(evidence: Evidence, figure: Figure) -> None:
    served = [status for status in evidence.foreign_key_statuses if status != 421]
    what = "answers other than 421 to a key of the other region"
    assert figure(
        what,
        len(served),
        of=len(evidence.foreign_key_statuses),
        passes=served == [] != evidence.foreign_key_statuses,
    ), served
    changed = evidence.changed_by_foreign_keys
    assert figure("tables, cache keys and files that this changed", len(changed), passes=changed == set()), (
        changed
    )


@pytest.mark.proof(row=28)
def test_no_worker_runs_a_task_of_the_other_region(evidence: Evidence, figure: Figure) -> None:
    misaddressed = sum(evidence.misaddressed_effects.values())
    assert figure(
        "tasks of the other region taken, or rows changed by one",
        misaddressed,
        of=4,
        passes=misaddressed == 0,
    )


@pytest.mark.proof(row=28)
def test_no_broker_contains_a_message_for_the_other_region(evidence: Evidence, figure: Figure) -> None:
    queue_mentions = sum(evidence.queue_mentions.values())
    assert figure(
        "messages for the other region's queue in a broker", queue_mentions, passes=queue_mentions == 0
    ), evidence.queue_mentions


@pytest.mark.proof(row=28)
def test_no_process_connects_to_the_other_region_or_has_its_settings(
    installation: Installation, evidence: Evidence, figure: Figure
) -> None:
    for deployment, other in installation.list_pairs():
        reached = evidence.reached_ports[deployment.region]
        assert reached & deployment.ports == deployment.ports
        inside = reached & other.ports
        assert figure(
            f"connections from {deployment.region} into the other", len(inside), passes=inside == set()
        )
        settings = [str(process.environ()) for process in deployment.list_processes()]
        assert all(secret in text for secret in deployment.secrets for text in settings)
        shared_secrets = [secret for secret in other.secrets for text in settings if secret in text]
        what = f"settings of the other region in a process of {deployment.region}"
        assert figure(
            what, len(shared_secrets), of=len(settings) * len(other.secrets), passes=shared_secrets == []
        )
