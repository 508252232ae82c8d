from __future__ import annotations

import json
from collections.abc import Callable
from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from tenants.control.queries import get_tenant
from tenants.errors import KeyServiceUnavailable
from tenants.keys import queries
from tenants.regions import TenantRef
from tenants.scope import Actor, control_scope


def _run(*arguments: str) -> str:
    out = StringIO()
    call_command("close_tenant", *arguments, stdout=out)
    return out.getvalue()


def test_a_closed_tenant_is_suspended_and_has_no_keys(
    make_tenant: Callable[..., TenantRef], actor: Actor
) -> None:
    tenant = make_tenant(slug="closing-shop")
    output = _run("closing-shop", "--confirm", "closing-shop", "--reason", "The contract ended.")
    certificate = json.loads(output.splitlines()[0])
    assert (certificate["tenant"], certificate["destroyed_by"]) == (str(tenant.id), "system:close_tenant")
    with control_scope(tenant.id, actor=actor) as s:
        assert get_tenant(s).status == "suspended"
    with pytest.raises(KeyServiceUnavailable):
        queries.get_keyring(tenant)


def test_a_second_run_prints_the_same_certificate(make_tenant: Callable[..., TenantRef]) -> None:
    make_tenant(slug="closing-twice")
    arguments = ("closing-twice", "--confirm", "closing-twice", "--reason", "The contract ended.")
    assert _run(*arguments) == _run(*arguments)


def test_without_the_confirmation_nothing_is_destroyed(
    make_tenant: Callable[..., TenantRef], actor: Actor
) -> None:
    tenant = make_tenant(slug="staying-shop")
    with pytest.raises(CommandError, match="must repeat"):
        _run("staying-shop", "--confirm", "staying-shops", "--reason", "A typing error.")
    assert queries.get_keyring(tenant).derive_pseudonym("uid", "ann")


def test_an_unknown_tenant_is_reported_in_one_sentence(database: None) -> None:
    with pytest.raises(CommandError, match="no tenant 'nobody'"):
        _run("nobody", "--confirm", "nobody", "--reason", "None.")
