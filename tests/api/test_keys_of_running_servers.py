"""Two servers, each with its own memory of keys: a key that a third process revokes stops in both within five seconds."""

from __future__ import annotations

import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from lepton_platform.embedded.services import EmbeddedServices
from lepton_platform.management.isolation.clients import ClientRequest, HttpClient
from tenants.control.actions import create_api_key, revoke_api_key
from tenants.control.read_models import NewApiKey
from tenants.regions import TenantRef
from tenants.scope import Actor, control_scope

ROOT = Path(__file__).resolve().parents[2]
LIMIT_SECONDS = 5.0
QUESTION = ClientRequest("GET", "/api/v1/tenant")
FORWARDED = ("X-Forwarded-For", "X-Real-Ip", "Forwarded", "True-Client-Ip", "Cf-Connecting-Ip", "Remote-Addr")


@pytest.fixture(scope="module")
def servers(services: EmbeddedServices) -> Iterator[list[HttpClient]]:
    """The platform served twice, as in production; both started at once."""
    addresses = [f"127.0.0.1:{_free_port()}" for _ in range(2)]
    started = [_start(item) for item in addresses]
    doors = [HttpClient(f"http://{item}") for item in addresses]
    try:
        for item in addresses:
            _wait_for(item)
        yield doors
    finally:
        for door in doors:
            door.close()
        for process in started:
            process.terminate()
            process.wait(20)


def _wait_for(address: str) -> None:
    """A server that is not there yet leaves a connection unusable."""
    deadline = time.monotonic() + 90
    while True:
        with closing(HttpClient(f"http://{address}")) as door:
            if door.is_reachable():
                return
        assert time.monotonic() < deadline
        time.sleep(0.1)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _start(address: str) -> subprocess.Popen[bytes]:
    host, port = address.split(":")
    listen = ["--interface", "wsgi", "--host", host, "--port", port]
    return subprocess.Popen(
        [sys.executable, "-m", "granian", *listen, "lepton_platform.wsgi:application"],
        cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip


def new_keys(tenant: TenantRef, actor: Actor, count: int, **options: Any) -> list[NewApiKey]:
    with control_scope(tenant.id, actor=actor) as s:
        return [create_api_key(s, name="in use", scopes=["tenant:read"], **options) for _ in range(count)]


def seconds_until_refused(door: HttpClient, keys: dict[str, float]) -> dict[str, float]:
    """Uses every key again and again; from each one's revocation to its last good answer was sent."""
    last_accepted: dict[str, float] = dict.fromkeys(keys, 0.0)
    alive = set(keys)
    while alive:
        for key in [*alive]:
            asked_at = time.monotonic()
            if door(QUESTION, key=key).status == 200:
                last_accepted[key] = asked_at - keys[key]
            else:
                alive.discard(key)
            assert asked_at - keys[key] < 12, "A revoked key still works."
    return last_accepted


@pytest.mark.proof(row=12)
def test_a_revoked_key_in_use_stops_in_every_process(
    servers: list[HttpClient], make_tenant: Callable[..., TenantRef], actor: Actor, scale: Any, figure: Any
) -> None:
    tenant, count = make_tenant(plan="enterprise"), scale(4, 60)
    keys = new_keys(tenant, actor, count)
    good = sum(door(QUESTION, key=key.secret).status == 200 for key in keys for door in servers)
    revoked: dict[str, float] = {}
    for key in keys:
        with control_scope(tenant.id, actor=actor) as s:
            revoke_api_key(s, key.key.id)
        revoked[key.secret] = time.monotonic()
    delays = seconds_until_refused(servers[0], revoked)
    time.sleep(max(0.0, max(revoked.values()) + LIMIT_SECONDS - time.monotonic()))
    second = [key for key in revoked if servers[1](QUESTION, key=key).status == 200]
    longest = max(delays.values())
    assert figure(
        "keys in use before they were revoked (two servers)", good, of=2 * count, passes=good == 2 * count
    )
    assert figure(
        "seconds a revoked key went on working in a busy process",
        longest,
        of=count,
        passes=longest <= LIMIT_SECONDS,
    )
    assert figure(
        "revoked keys that still work in a process that was idle", len(second), of=count, passes=not second
    )


@pytest.mark.proof(row=12)
def test_no_header_moves_a_caller_into_a_keys_networks(
    servers: list[HttpClient], tenant: TenantRef, actor: Actor, figure: Any
) -> None:
    (inside,) = new_keys(tenant, actor, 1, cidrs=["127.0.0.0/8"])
    (outside,) = new_keys(tenant, actor, 1, cidrs=["192.0.2.0/24"])
    texts = ("192.0.2.7", "192.0.2.7, 127.0.0.1", "for=192.0.2.7")
    forged_requests = [
        ClientRequest("GET", QUESTION.path, headers={name: text}) for name in FORWARDED for text in texts
    ]
    opened = [item.headers for item in forged_requests if servers[0](item, key=outside.secret).status != 401]
    good = servers[0](QUESTION, key=inside.secret).status
    assert figure(
        "headers that moved a caller into a key's networks",
        len(opened),
        of=len(forged_requests),
        passes=not opened,
    ), opened
    assert figure("control: status inside the key's networks", good, passes=good == 200)
