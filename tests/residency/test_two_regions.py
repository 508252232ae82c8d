"""Two regions on one control plane, as two companies' machines would be: nothing of one is ever in the other."""

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
from tests.residency.life import WHOLE_LIFE, Life
from tests.residency.sides import REGIONS, Installation, Servers, Side, two_regions
from tests.residency.traces import Traces, ciphertexts, places

pytestmark = [pytest.mark.faults, pytest.mark.timeout(1500)]
Figure = Callable[..., bool]
Found = dict[tuple[str, str, str], set[str]]
"""(whose traces, whose machine, kind of place) to the kinds of traces found there."""
DIRECTORY = {"control_tenant", "control_member", "control_apikey", "control_auditentry"}


@dataclass(frozen=True)
class Evidence:
    """What was seen while both lives went on side by side."""

    refused: list[int]
    changed_by_refused: set[str]
    reached: dict[str, set[int]]
    found: Found
    named: dict[str, int]
    taken: dict[str, int]
    in_directory: set[str]
    planted: dict[str, set[str]]


@pytest.fixture(scope="module")
def installation() -> Iterator[Installation]:
    with tempfile.TemporaryDirectory(prefix="lepton-residency-") as folder:
        Path(folder).chmod(0o755)
        with two_regions(Path(folder)) as running:
            yield running


@pytest.fixture(scope="module")
def lives(installation: Installation) -> dict[str, Life]:
    opened = {side.region: Life(side) for side in installation.sides}
    for life in opened.values():
        life.open()
    return opened


@pytest.fixture(scope="module")
def evidence(installation: Installation, lives: dict[str, Life], request: pytest.FixtureRequest) -> Evidence:
    profiles = 300 if request.config.getoption("--full") else 150
    refused, changed = _foreign_keys(installation, lives)
    reached: dict[str, set[int]] = {side.region: set() for side in installation.sides}
    _live(lives, profiles, lambda: _note_ports(installation, reached))
    for life in lives.values():
        life.note_ids()
        life.traces.sealed += ciphertexts(life.side)
    alive = search(installation, lives)
    for life in lives.values():
        life.leave()
    traces = {key: kinds | alive[key] for key, kinds in search(installation, lives).items()}
    names = {side.region: _named_in_queue(side, other.region) for side, other in installation.pairs()}
    misaddressed = {side.region: _misaddressed(side, other) for side, other in installation.pairs()}
    in_directory = {table for _c, table in _tables_that_name(installation, lives)}
    planted = {
        side.region: _planted(side, lives[other.region].traces) for side, other in installation.pairs()
    }
    return Evidence(refused, changed, reached, traces, names, misaddressed, in_directory, planted)


def _live(lives: dict[str, Life], profiles: int, look: Callable[[], None]) -> None:
    """Each step in both regions before the next, so that both are in the middle of things together."""
    steps: list[Callable[[Life], None]] = [
        lambda life: life.feed(profiles), Life.send_twice, Life.refresh, Life.recommend, Life.train, Life.recommend,
        Life.end, Life.recommend,
    ]  # fmt: skip
    for step in steps:
        for life in lives.values():
            step(life)
            look()


def _foreign_keys(installation: Installation, lives: dict[str, Life]) -> tuple[list[int], set[str]]:
    """Every operation asked with the other region's key, and what that changed anywhere."""
    everybody = [installation.control, *installation.sides]
    before = [_state(servers) for servers in everybody]
    answers = [
        answer.status
        for side, other in installation.pairs()
        for answer in _every_operation(side, lives[other.region])
    ]
    after = [_state(servers) for servers in everybody]
    changed = {
        name
        for old, new in zip(before, after, strict=True)
        for name in old | new
        if old.get(name) != new.get(name)
    }
    return answers, changed


def _state(servers: Servers) -> dict[str, str]:
    cached = {f"valkey {key!r}": "" for key in servers.cached()}
    files = {str(path): "" for path in (servers.home / "objects").rglob("*")}
    return {
        **{f"{servers.home.name}: {name}": digest for name, digest in servers.digests().items()},
        **cached,
        **files,
    }


def _every_operation(side: Side, foreigner: Life) -> Iterator[HttpResponse]:
    """Words of the foreigner in addresses, bodies and idempotency keys."""
    word = foreigner.traces.word
    ids = ProbeIds(word(), word(), str(uuid4()), "1")
    for operation in list_operations(side.ask):
        yield side.ask(operation.build_request(ids), foreigner.key, **{"Idempotency-Key": word()})


def _note_ports(installation: Installation, reached: dict[str, set[int]]) -> None:
    for side in installation.sides:
        reached[side.region] |= side.reached_ports()


def _named_in_queue(side: Side, other: str) -> int:
    """How often the other region's queue is named in everything that was ever written to this broker."""
    return sum(content.count(f"region_{other}".encode()) for content in places(side)["queue"])


def _misaddressed(side: Side, other: Side) -> int:
    """A task of the other region in this region's broker: in the other's queue, where nobody may take it, and in
    this region's own, where it is taken and refused. How many messages were taken or rows changed."""
    before = {**side.digests(), **other.digests()}
    ids = {"tenant_id": str(uuid4()), "job_id": str(uuid4()), "region": other.region}
    side.send_task("lepton.train", queue=f"region_{other.region}", **ids)
    side.send_task("lepton.train", queue=f"region_{side.region}", **ids)
    log = side.home / "logs" / "worker.log"
    wait_until(lambda: b"RegionNotServed" in log.read_bytes(), 60, "the worker refuses the task")
    after = {**side.digests(), **other.digests()}
    with side.valkey(0) as broker:
        waiting = int(broker.llen(f"region_{other.region}"))
    return max(0, 1 - waiting) + sum(after[name] != before[name] for name in before)


def _tables_that_name(installation: Installation, lives: dict[str, Life]) -> Iterator[tuple[Any, str]]:
    for connection, table in installation.control.tables():
        with connection.cursor().copy(f"COPY {table} TO STDOUT") as rows:
            content = b"".join(bytes(part) for part in rows)
        if any("tenant" in life.traces.found([content]) for life in lives.values()):
            yield connection, table


def search(installation: Installation, lives: dict[str, Life]) -> Found:
    traces: Found = {}
    for servers in (installation.control, *installation.sides):
        for location, contents in places(servers).items():
            for region, life in lives.items():
                traces[region, servers.home.name, location] = life.traces.found(contents)
    return traces


def _planted(side: Side, foreign: Traces) -> set[str]:
    """The places of this region where one of the other's words is found after it was put there."""
    word = foreign.word()
    with side.connect(f"lepton_data_{side.region}") as connection:
        connection.execute(f"CREATE TABLE planted AS SELECT '{word}' AS word")
    with side.valkey(1) as cache:
        cache.set("planted", word)
    (side.home / "objects" / side.region / word).write_bytes(b"")
    with (side.home / "logs" / "web.log").open("a") as log:
        log.write(f"{word}\n")
    return {location for location, contents in places(side).items() if "word" in foreign.found(contents)}


def _elsewhere(evidence: Evidence) -> set[tuple[str, str, str]]:
    """Where traces of a region were found in the other one, of any kind."""
    return {key for key, kinds in evidence.found.items() if key[1] in REGIONS and key[0] != key[1] and kinds}


@pytest.mark.proof(row=28)
def test_nothing_of_one_region_is_found_in_the_other(
    evidence: Evidence, lives: dict[str, Life], figure: Figure
) -> None:
    planted = sum(len(life.traces.words) for life in lives.values())
    assert [set(life.done) for life in lives.values()] == [WHOLE_LIFE, WHOLE_LIFE]
    traces = _elsewhere(evidence)
    what = "places that hold a word, id or ciphertext of the other region, of so many words planted"
    assert figure(what, len(traces), of=planted, passes=traces == set()), traces


@pytest.mark.proof(row=28)
def test_what_is_looked_for_is_found_where_it_belongs(evidence: Evidence, figure: Figure) -> None:
    for region in REGIONS:
        assert evidence.found[region, region, "databases"] == {"tenant", "id", "ciphertext"}
        assert {"tenant", "id"} <= evidence.found[region, region, "queue"]
        assert {"tenant", "id"} <= evidence.found[region, region, "store"]
    traces = sum(map(len, evidence.planted.values()))
    what = "places of a region where a planted word of the other one is found"
    assert figure(what, traces, of=8, passes=traces == 8), evidence.planted


@pytest.mark.proof(row=28)
def test_the_control_plane_knows_the_tenant_and_none_of_its_data(evidence: Evidence, figure: Figure) -> None:
    kinds = {kind for key, traces in evidence.found.items() if key[1] == "control" for kind in traces}
    assert kinds >= {"tenant"}
    assert {"control_tenant"} <= evidence.in_directory <= DIRECTORY
    data = kinds - {"tenant"}
    assert figure("kinds of tenants' data in the control plane", len(data), of=3, passes=data == set()), data


@pytest.mark.proof(row=28)
def test_a_key_of_the_other_region_gets_421_and_changes_nothing(evidence: Evidence, figure: Figure) -> None:
    served = [status for status in evidence.refused if status != 421]
    what = "answers other than 421 to a key of the other region"
    assert figure(what, len(served), of=len(evidence.refused), passes=served == [] != evidence.refused), (
        served
    )
    changed = evidence.changed_by_refused
    assert figure("tables, cache keys and files that this changed", len(changed), passes=changed == set()), (
        changed
    )


@pytest.mark.proof(row=28)
def test_no_worker_takes_the_other_regions_task(evidence: Evidence, figure: Figure) -> None:
    misaddressed = sum(evidence.taken.values())
    assert figure(
        "tasks of the other region taken, or rows changed by one",
        misaddressed,
        of=4,
        passes=misaddressed == 0,
    )


@pytest.mark.proof(row=28)
def test_no_broker_ever_held_a_message_for_the_other_region(evidence: Evidence, figure: Figure) -> None:
    named = sum(evidence.named.values())
    assert figure("messages for the other region's queue in a broker", named, passes=named == 0), (
        evidence.named
    )


@pytest.mark.proof(row=28)
def test_no_process_reaches_or_knows_the_other_region(
    installation: Installation, evidence: Evidence, figure: Figure
) -> None:
    for side, other in installation.pairs():
        reached = evidence.reached[side.region]
        assert reached & side.ports == side.ports
        inside = reached & other.ports
        assert figure(f"connections from {side.region} into the other", len(inside), passes=inside == set())
        settings = [str(process.environ()) for process in side.processes()]
        assert all(secret in text for secret in side.secrets for text in settings)
        shared_secrets = [secret for secret in other.secrets for text in settings if secret in text]
        what = f"settings of the other region in a process of {side.region}"
        assert figure(
            what, len(shared_secrets), of=len(settings) * len(other.secrets), passes=shared_secrets == []
        )
