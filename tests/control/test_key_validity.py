"""A key is valid until its expiry or the end of its overlap, and only from its networks."""

from __future__ import annotations

import ipaddress
import random
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import chain
from typing import Any

import pytest

from tenants.control.actions import rotate_api_key
from tenants.control.key_format import compute_checksum, mint_api_key
from tenants.control.queries import authenticate
from tenants.control.read_models import NewApiKey
from tenants.errors import Unauthenticated
from tenants.regions import TenantRef
from tenants.scope import Actor, control_scope

CLIENT_IP = "127.0.0.1"
MakeKey = Callable[..., NewApiKey]


@dataclass(slots=True)
class ExpiringKey:
    """A key, the time from which it must be refused, and the violations seen."""

    secret: str
    expires_at: datetime
    accepted_late: bool = False
    refused_early: bool = False

    def check(self) -> None:
        before = datetime.now(UTC)
        accepted = is_accepted(self.secret, CLIENT_IP)
        self.accepted_late |= accepted and before >= self.expires_at
        self.refused_early |= not accepted and datetime.now(UTC) < self.expires_at


def is_accepted(secret: str, remote_ip: str) -> bool:
    try:
        authenticate(secret, remote_ip=remote_ip)
    except Unauthenticated:
        return False
    return True


def check_until_expired(expiring_keys: list[ExpiringKey]) -> None:
    """Uses every key in a loop until all have expired, and once more after that."""
    end = max(key.expires_at for key in expiring_keys)
    while datetime.now(UTC) < end + timedelta(milliseconds=50):
        for key in expiring_keys:
            key.check()
        time.sleep(0.005)
    for key in expiring_keys:
        key.check()


@pytest.mark.proof(row=12)
def test_keys_in_use_are_refused_from_their_expiry(
    make_tenant: Callable[..., TenantRef], make_key: MakeKey, scale: Any, figure: Any
) -> None:
    tenant, count = make_tenant(plan="enterprise"), scale(20, 300)
    start = datetime.now(UTC) + timedelta(seconds=scale(3, 40))
    expiries = [start + timedelta(milliseconds=5 * n) for n in range(count)]
    expiring_keys = [ExpiringKey(make_key(tenant, expires_at=expiry).secret, expiry) for expiry in expiries]
    check_until_expired(expiring_keys)
    n_late = sum(key.accepted_late for key in expiring_keys)
    n_early = sum(key.refused_early for key in expiring_keys)
    assert figure("keys accepted after their expiry", n_late, of=count, passes=n_late == 0)
    assert figure("keys refused before their expiry", n_early, of=count, passes=n_early == 0)


@pytest.mark.proof(row=12)
def test_a_replaced_key_is_valid_until_its_overlap_ends(
    make_tenant: Callable[..., TenantRef], make_key: MakeKey, actor: Actor, scale: Any, figure: Any
) -> None:
    tenant, count, expiring_keys, successors = make_tenant(plan="enterprise"), scale(10, 100), [], []
    for _ in range(count):
        old = make_key(tenant)
        overlap = timedelta(seconds=scale(1, 5))
        with control_scope(tenant.id, actor=actor) as s:
            successors.append(rotate_api_key(s, old.key.id, overlap=overlap).secret)
        expiring_keys.append(ExpiringKey(old.secret, datetime.now(UTC) + overlap))
    check_until_expired([ExpiringKey(key.secret, key.expires_at) for key in expiring_keys])
    n_late = sum(is_accepted(key.secret, CLIENT_IP) for key in expiring_keys)
    n_refused = sum(not is_accepted(secret, CLIENT_IP) for secret in successors)
    assert figure("replaced keys accepted after their overlap", n_late, of=count, passes=n_late == 0)
    assert figure("successors refused", n_refused, of=count, passes=n_refused == 0)


@pytest.mark.proof(row=12)
def test_a_key_in_use_is_accepted_only_with_its_secret(
    make_tenant: Callable[..., TenantRef], make_key: MakeKey, scale: Any, figure: Any
) -> None:
    tenant, count, n_opened = make_tenant(plan="enterprise"), scale(30, 1_000), 0
    real = make_key(tenant)
    for _ in range(count):
        body = f"lep_live_eu_{real.key.id}_{mint_api_key('eu')[0].secret}"
        assert is_accepted(real.secret, CLIENT_IP)
        n_opened += is_accepted(body + compute_checksum(body), CLIENT_IP)
    assert figure("wrong secrets of a key in use that opened", n_opened, of=count, passes=n_opened == 0)


def generate_networks(rng: random.Random) -> list[str]:
    """One to three IPv4 or IPv6 networks."""
    results: list[str] = []
    for _ in range(rng.randint(1, 3)):
        if rng.random() < 0.6:
            size, width = rng.choice((8, 16, 24, 25, 31, 32)), 32
        else:
            size, width = rng.choice((32, 48, 64, 127, 128)), 128
        bits = rng.getrandbits(width) >> (width - size) << (width - size)
        address = ipaddress.IPv4Address(bits) if width == 32 else ipaddress.IPv6Address(bits)
        results.append(f"{address}/{size}")
    return results


def iter_edge_addresses(network: str) -> Iterable[tuple[str, bool]]:
    """Addresses at both edges of a network, inside and outside, and whether each is inside.

    IPv4 addresses come also in IPv6 notation. Membership is computed by integer arithmetic alone.
    """
    base, _, size = network.partition("/")
    lowest = int(ipaddress.ip_address(base))
    width = 128 if ":" in base else 32
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
    make_tenant: Callable[..., TenantRef], make_key: MakeKey, scale: Any, figure: Any
) -> None:
    rng, tenant, n_requests, wrong_addresses = random.Random(12), make_tenant(plan="enterprise"), 0, []
    for _ in range(scale(12, 600)):
        cidrs = generate_networks(rng)
        secret = make_key(tenant, cidrs=cidrs).secret
        addresses = chain.from_iterable(iter_edge_addresses(cidr) for cidr in cidrs)
        for address, inside in addresses:
            in_another = not inside and _is_in_another(address, cidrs)
            n_requests += 1
            if is_accepted(secret, address) != (inside or in_another):
                wrong_addresses.append(f"{address} for {cidrs}")
    assert figure(
        "addresses judged wrongly against a key's networks",
        len(wrong_addresses),
        of=n_requests,
        passes=not wrong_addresses,
    ), wrong_addresses[:3]


def _is_in_another(address: str, cidrs: list[str]) -> bool:
    """Whether any of the networks contains the address."""
    plain = ipaddress.ip_address(address.removeprefix("::ffff:") if "." in address else address)
    return any(plain in ipaddress.ip_network(cidr) for cidr in cidrs)
