from __future__ import annotations

from collections.abc import Callable
from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from tenants.crypto import Purpose
from tenants.keys import queries
from tenants.keys.models import KeyState
from tenants.regions import TenantRef
from tenants.scope import Actor


def _run(*arguments: str) -> str:
    out = StringIO()
    call_command("rotate_keys", *arguments, stdout=out)
    return out.getvalue()


def test_a_purpose_key_is_added_and_then_pending(make_tenant: Callable[..., TenantRef], actor: Actor) -> None:
    tenant = make_tenant(slug="rotating-shop")
    arguments = ("--tenant", "rotating-shop", "--key-type", "purpose", "--purpose", "review")
    added, waiting = _run(*arguments), _run(*arguments)
    new = max(key.key_id for key in queries.list_keys(tenant, actor=actor) if key.state == KeyState.PENDING)
    assert added == f"Tenant {tenant.id}: review key {new} added.\n"
    assert waiting == f"Tenant {tenant.id}: review key {new} waiting.\n"


def test_without_a_purpose_all_lazily_rotated_keys_of_the_region_rotate(
    make_keyed_tenant: Callable[..., TenantRef],
) -> None:
    tenants = [make_keyed_tenant("us") for _ in range(2)]
    output = _run("--region", "us", "--key-type", "purpose")
    assert all(output.count(f"Tenant {tenant.id}: ") == len(Purpose) - 2 for tenant in tenants)
    assert "pseudonym" not in output


def test_every_kek_rotation_prints_one_line(make_keyed_tenant: Callable[..., TenantRef]) -> None:
    tenant = make_keyed_tenant("us")
    assert f"Tenant {tenant.id}: new KEK; keys rewrapped: {len(Purpose)}." in _run(
        "--region", "us", "--key-type", "tenant-kek"
    )
    assert _run("--region", "us", "--key-type", "region-kek").startswith(
        "Region us: new root key; KEKs rewrapped: "
    )


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("--tenant", "nobody", "--key-type", "tenant-kek"), "There is no tenant 'nobody'."),
        (("--tenant", "nobody", "--key-type", "region-kek"), "rotated with --region"),
        (
            ("--region", "us", "--key-type", "tenant-kek", "--purpose", "review"),
            "requires --key-type purpose",
        ),
        (("--region", "mars", "--key-type", "region-kek"), "'mars' is not served"),
        (("--region", "us", "--key-type", "purpose", "--purpose", "pseudonym"), "invalid choice"),
        (("--key-type", "purpose"), "one of the arguments"),
    ],
)
def test_a_wrong_call_is_reported_in_one_sentence(
    database: None, arguments: tuple[str, ...], sentence: str
) -> None:
    with pytest.raises(CommandError, match=sentence):
        _run(*arguments)
