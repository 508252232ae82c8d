"""A key with one scope does what that scope says and nothing else, at every operation."""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import cache
from typing import Any

import pytest

from lepton_platform.api.routes import ROUTES
from lepton_platform.http_client import HttpResponse
from lepton_platform.management.isolation.attack import AttackedOperation, list_operations
from lepton_platform.management.isolation.clients import InProcessClient
from lepton_platform.management.isolation.rows import fingerprint
from lepton_platform.management.isolation.tenant_pair import ACTOR, ProbeTenant, prepare_tenants, revoke_keys
from tenants.control.actions import create_api_key
from tenants.control.api_scopes import API_SCOPES, READ_SCOPES, WRITE_SCOPES
from tenants.scope import control_scope

NEEDS = {operation.name: operation.required_scope for _, declared in ROUTES for operation in declared}
# What is read is written down, with the figures of the day.
KEPT_OF_READS = {"data_eu.data_receipt", "default.control_apikey", "default.control_auditentry"}


@pytest.fixture
def space(database: None) -> Iterator[ProbeTenant]:
    other, own_tenant = prepare_tenants("eu", InProcessClient())
    yield own_tenant
    revoke_keys(other, own_tenant)


@cache
def served() -> list[AttackedOperation]:
    return list_operations(InProcessClient())


def key_with(space: ProbeTenant, scopes: frozenset[str]) -> str:
    with control_scope(space.tenant.id, actor=ACTOR) as s:
        new_key = create_api_key(s, name="one scope", scopes=scopes)
    return new_key.secret


def refused_for_its_scope(answer: HttpResponse) -> bool:
    return answer.status == 403 and json.loads(answer.body)["code"] == "forbidden"


def ask(space: ProbeTenant, operation: AttackedOperation, key: str) -> HttpResponse:
    return InProcessClient()(operation.build_request(space.mirrored_ids), key=key)


def disagreements(space: ProbeTenant, scopes: frozenset[str]) -> list[str]:
    """Operations that a key with these scopes may do and should not, or should do and may not."""
    key, disagreements_found = key_with(space, scopes), []
    for operation in served():
        allowed = not refused_for_its_scope(ask(space, operation, key))
        if allowed != (NEEDS[operation.name] in scopes):
            disagreements_found.append(
                f"{operation.name} with {sorted(scopes)}: {'allowed' if allowed else 'refused'}"
            )
    return disagreements_found


@pytest.mark.proof(row=12)
def test_every_scope_alone_opens_the_operations_that_declare_it(space: ProbeTenant, figure: Any) -> None:
    wrong = [
        operation for scope in sorted(API_SCOPES) for operation in disagreements(space, frozenset({scope}))
    ]
    of = len(API_SCOPES) * len(NEEDS)
    assert figure(
        "operations that a key with one scope can do wrongly", len(wrong), of=of, passes=not wrong
    ), wrong


@pytest.mark.proof(row=12)
def test_every_scope_left_out_shuts_the_operations_that_declare_it(
    space: ProbeTenant, scale: Any, figure: Any
) -> None:
    chosen = sorted(API_SCOPES)[:: scale(4, 1)]
    wrong = [operation for scope in chosen for operation in disagreements(space, API_SCOPES - {scope})]
    of = len(chosen) * len(NEEDS)
    assert figure(
        "operations that a key without one scope can do wrongly", len(wrong), of=of, passes=not wrong
    ), wrong


@pytest.mark.proof(row=12)
def test_a_key_that_may_read_everything_changes_nothing(space: ProbeTenant, figure: Any) -> None:
    key = key_with(space, READ_SCOPES)
    before = fingerprint(space.tenant.ref)
    statuses = [ask(space, operation, key).status for operation in served()]
    after = fingerprint(space.tenant.ref)
    changed = sorted({name for name in after if after[name] != before[name]} - KEPT_OF_READS)
    assert figure(
        "tables changed with all scopes of reading", len(changed), of=len(before), passes=not changed
    ), changed
    assert figure(
        "operations refused to all scopes of reading",
        statuses.count(403),
        of=len(statuses),
        passes=403 in statuses,
    )


@pytest.mark.proof(row=12)
def test_a_key_that_may_write_everything_reads_nothing(space: ProbeTenant, figure: Any) -> None:
    key = key_with(space, WRITE_SCOPES)
    gets = [operation for operation in served() if operation.method == "GET"]
    opened = [operation.name for operation in gets if not refused_for_its_scope(ask(space, operation, key))]
    assert figure(
        "GET operations open to all scopes of writing", len(opened), of=len(gets), passes=not opened
    ), opened
