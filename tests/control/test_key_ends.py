"""Keys end when they must: at their expiry, when an overlap is over, and outside their networks at any time."""

from __future__ import annotations

import ipaddress
import random
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tenants.control.actions import rotate_api_key
from tenants.control.key_format import compute_checksum, mint_api_key
from tenants.control.queries import authenticate
from tenants.control.read_models import NewApiKey
from tenants.errors import Unauthenticated
from tenants.regions import TenantRef
from tenants.scope import Actor, control_scope

HOME = "127.0.0.1"
NewKey = Callable[..., NewApiKey]


@dataclass(slots=True)
class Ending:
    """A key and the moment from which it must be refused."""

    secret: str
    ends_at: datetime
    late: bool = False
    early: bool = False

    def look(self) -> None:
        before = datetime.now(UTC)
        accepted = is_accepted(self.secret, HOME)
        self.late |= accepted and before >= self.ends_at
        self.early |= not accepted and datetime.now(UTC) < self.ends_at


def is_accepted(secret: str, remote_ip: str) -> bool:
    try:
        authenticate(secret, remote_ip=remote_ip)
    except Unauthenticated:
        return False
    return True


def watch(endings: list[Ending]) -> None:
    """Uses every key again and again until the last has ended, and once more."""
    end = max(entry.ends_at for entry in endings)
    while datetime.now(UTC) < end + timedelta(milliseconds=50):
        for entry in endings:
            entry.look()
        time.sleep(0.005)
    for entry in endings:
        entry.look()


@pytest.mark.proof(row=12)
def test_keys_in_use_end_at_their_expiry(
    make_tenant: Callable[..., TenantRef], new_key: NewKey, scale: Any, figure: Any
) -> None:
    tenant, count = make_tenant(plan="enterprise"), scale(20, 300)
    start = datetime.now(UTC) + timedelta(seconds=scale(3, 40))
    times = [start + timedelta(milliseconds=5 * n) for n in range(count)]
    endings = [Ending(new_key(tenant, expires_at=expiry).secret, expiry) for expiry in times]
    watch(endings)
    n_late, early = sum(entry.late for entry in endings), sum(entry.early for entry in endings)
    assert figure("keys accepted after their expiry", n_late, of=count, passes=n_late == 0)
    assert figure("keys refused before their expiry", early, of=count, passes=early == 0)


@pytest.mark.proof(row=12)
def test_a_replaced_key_works_through_its_overlap_and_no_longer(
    make_tenant: Callable[..., TenantRef], new_key: NewKey, actor: Actor, scale: Any, figure: Any
) -> None:
    tenant, count, endings, successors = make_tenant(plan="enterprise"), scale(10, 100), [], []
    for _ in range(count):
        old = new_key(tenant)
        overlap = timedelta(seconds=scale(1, 5))
        with control_scope(tenant.id, actor=actor) as s:
            successors.append(rotate_api_key(s, old.key.id, overlap=overlap).secret)
        endings.append(Ending(old.secret, datetime.now(UTC) + overlap))
    watch([Ending(entry.secret, entry.ends_at) for entry in endings])
    n_late = sum(is_accepted(entry.secret, HOME) for entry in endings)
    lost = sum(not is_accepted(secret, HOME) for secret in successors)
    assert figure("replaced keys accepted after their overlap", n_late, of=count, passes=n_late == 0)
    assert figure("successors refused", lost, of=count, passes=lost == 0)


@pytest.mark.proof(row=12)
def test_a_key_in_use_opens_with_its_own_secret_alone(
    make_tenant: Callable[..., TenantRef], new_key: NewKey, scale: Any, figure: Any
) -> None:
    tenant, count, opened = make_tenant(plan="enterprise"), scale(30, 1_000), 0
    real = new_key(tenant)
    for _ in range(count):
        body = f"lep_live_eu_{real.key.id}_{mint_api_key('eu')[0].secret}"
        assert is_accepted(real.secret, HOME)
        opened += is_accepted(body + compute_checksum(body), HOME)
    assert figure("wrong secrets of a key in use that opened", opened, of=count, passes=opened == 0)


def networks(chance: random.Random) -> list[str]:
    """One to three networks of either kind."""
    results: list[str] = []
    for _ in range(chance.randint(1, 3)):
        if chance.random() < 0.6:
            size, width = chance.choice((8, 16, 24, 25, 31, 32)), 32
        else:
            size, width = chance.choice((32, 48, 64, 127, 128)), 128
        bits = chance.getrandbits(width) >> (width - size) << (width - size)
        text = ipaddress.IPv4Address(bits) if width == 32 else ipaddress.IPv6Address(bits)
        results.append(f"{text}/{size}")
    return results


def around(network: str) -> Iterable[tuple[str, bool]]:
    """Addresses at both edges of a network, inside and out, also IPv4 written as IPv6; told by arithmetic alone."""
    text, _, size = network.partition("/")
    lowest = int(ipaddress.ip_address(text))
    width = 128 if ":" in text else 32
    highest = lowest + 2 ** (width - int(size)) - 1
    for number in (lowest - 1, lowest, (lowest + highest) // 2, highest, highest + 1):
        if 0 <= number < 2**width:
            inside = lowest <= number <= highest
            address = ipaddress.IPv6Address(number) if width == 128 else ipaddress.IPv4Address(number)
            yield str(address), inside
            if width == 32:
                yield f"::ffff:{address}", inside


@pytest.mark.proof(row=12)
@pytest.mark.timeout(600)
def test_a_key_is_accepted_from_its_networks_and_from_nowhere_else(
    make_tenant: Callable[..., TenantRef], new_key: NewKey, scale: Any, figure: Any
) -> None:
    chance, tenant, n_requests, wrong = random.Random(12), make_tenant(plan="enterprise"), 0, []
    for _ in range(scale(12, 600)):
        cidrs = networks(chance)
        secret = new_key(tenant, cidrs=cidrs).secret
        for address, inside in [pair for cidr in cidrs for pair in around(cidr)]:
            elsewhere = not inside and _in_another(address, cidrs)
            n_requests += 1
            if is_accepted(secret, address) != (inside or elsewhere):
                wrong.append(f"{address} for {cidrs}")
    assert figure(
        "addresses judged wrongly against a key's networks", len(wrong), of=n_requests, passes=not wrong
    ), wrong[:3]


def _in_another(address: str, given: list[str]) -> bool:
    """Whether an address beside one of the networks happens to lie in another of them."""
    plain = ipaddress.ip_address(address.removeprefix("::ffff:") if "." in address else address)
    return any(plain in ipaddress.ip_network(cidr) for cidr in given)
