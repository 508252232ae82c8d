"""Searches all storage of every region for traces of every tenant."""

from __future__ import annotations

from tests.residency.deployment import Installation, RegionDeployment
from tests.residency.tenant_lifecycle import TenantLifecycle
from tests.residency.traces import Traces, read_contents

TraceKinds = dict[tuple[str, str, str], set[str]]
"""Maps (region of the traces, searched region, kind of storage) to the kinds of traces found."""


def search_traces(installation: Installation, lifecycles: dict[str, TenantLifecycle]) -> TraceKinds:
    traces: TraceKinds = {}
    for servers in (installation.control, *installation.deployments):
        for location, contents in read_contents(servers).items():
            for region, lifecycle in lifecycles.items():
                traces[region, servers.home.name, location] = lifecycle.traces.find_kinds(contents)
    return traces


def insert_words(deployment: RegionDeployment, foreign_traces: Traces) -> set[str]:
    """Stores a word of the other region in this region. Returns the kinds of storage where it is found."""
    word = foreign_traces.mint_word()
    with deployment.connect(f"lepton_data_{deployment.region}") as connection:
        connection.execute(f"CREATE TABLE planted AS SELECT '{word}' AS word")
    with deployment.connect_valkey(1) as cache:
        cache.set("planted", word)
    (deployment.home / "objects" / deployment.region / word).write_bytes(b"")
    with (deployment.home / "logs" / "web.log").open("a") as log:
        log.write(f"{word}\n")
    return {
        location
        for location, contents in read_contents(deployment).items()
        if "word" in foreign_traces.find_kinds(contents)
    }
