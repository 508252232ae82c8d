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
    end = max(one.ends_at for one in endings)
    while datetime.now(UTC) < end + timedelta(milliseconds=50):
        for one in endings:
            one.look()
        time.sleep(0.005)
    for one in endings:
        one.look()


@pytest.mark.proof(row=12)
def test_keys_in_use_end_at_their_expiry(
    make_tenant: Callable[..., TenantRef], new_key: NewKey, scale: Any, figure: Any
) -> None:
    tenant, count = make_tenant(plan="enterprise"), scale(20, 300)
    start = datetime.now(UTC) + timedelta(seconds=scale(3, 40))
    moments = [start + timedelta(milliseconds=5 * n) for n in range(count)]
    endings = [Ending(new_key(tenant, expires_at=one).secret, one) for one in moments]
    watch(endings)
    late, early = sum(one.late for one in endings), sum(one.early for one in endings)
    assert figure("keys accepted after their expiry", late, of=count, passes=late == 0)
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
    watch([Ending(one.secret, one.ends_at) for one in endings])
    late = sum(is_accepted(one.secret, HOME) for one in endings)
    lost = sum(not is_accepted(one, HOME) for one in successors)
    assert figure("replaced keys accepted after their overlap", late, of=count, passes=late == 0)
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
    found: list[str] = []
    for _ in range(chance.randint(1, 3)):
        if chance.random() < 0.6:
            size, width = chance.choice((8, 16, 24, 25, 31, 32)), 32
        else:
            size, width = chance.choice((32, 48, 64, 127, 128)), 128
        bits = chance.getrandbits(width) >> (width - size) << (width - size)
        text = ipaddress.IPv4Address(bits) if width == 32 else ipaddress.IPv6Address(bits)
        found.append(f"{text}/{size}")
    return found


def around(network: str) -> Iterable[tuple[str, bool]]:
    """Addresses at both edges of a network, inside and out, also IPv4 written as IPv6; told by arithmetic alone."""
    text, _, size = network.partition("/")
    first = int(ipaddress.ip_address(text))
    width = 128 if ":" in text else 32
    last = first + 2 ** (width - int(size)) - 1
    for number in (first - 1, first, (first + last) // 2, last, last + 1):
        if 0 <= number < 2**width:
            inside = first <= number <= last
            address = ipaddress.IPv6Address(number) if width == 128 else ipaddress.IPv4Address(number)
            yield str(address), inside
            if width == 32:
                yield f"::ffff:{address}", inside


@pytest.mark.proof(row=12)
@pytest.mark.timeout(600)
def test_a_key_is_accepted_from_its_networks_and_from_nowhere_else(
    make_tenant: Callable[..., TenantRef], new_key: NewKey, scale: Any, figure: Any
) -> None:
    chance, tenant, asked, wrong = random.Random(12), make_tenant(plan="enterprise"), 0, []
    for _ in range(scale(12, 600)):
        given = networks(chance)
        secret = new_key(tenant, cidrs=given).secret
        for address, inside in [pair for one in given for pair in around(one)]:
            elsewhere = not inside and _in_another(address, given)
            asked += 1
            if is_accepted(secret, address) != (inside or elsewhere):
                wrong.append(f"{address} for {given}")
    assert figure(
        "addresses judged wrongly against a key's networks", len(wrong), of=asked, passes=not wrong
    ), wrong[:3]


def _in_another(address: str, given: list[str]) -> bool:
    """Whether an address beside one of the networks happens to lie in another of them."""
    plain = ipaddress.ip_address(address.removeprefix("::ffff:") if "." in address else address)
    return any(plain in ipaddress.ip_network(one) for one in given)
