"""Every operation of the schema, asked with own, foreign and absent ids, and what the answers may not show."""

from __future__ import annotations

import json
import re
import secrets
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote
from uuid import UUID

from lepton_platform.management.isolation.clients import ApiClient, ClientRequest, ClientResponse
from lepton_platform.management.isolation.tenant_pair import PROBE_PNG, ProbeIds, ProbeTenant

_EMPTY_IDS = ProbeIds("", "", "", "")

# What an operation is sent, by its name in the schema: an operation that stands in neither table fails the check.
_REQUEST_BODIES: Mapping[str, Callable[[ProbeIds], Any]] = {
    "upsert_item": lambda ids: {"id": ids.item_id, "title": "probe"},
    "upsert_items": lambda ids: {"items": [{"id": ids.item_id, "title": "probe"}]},
    "put_profile": lambda _ids: {"attributes": {"probe": 1}},
    "change_profile_attributes": lambda _ids: {"attributes": {"probe": 2}},
    "record_events": lambda ids: {
        "events": [{"profile_id": ids.profile_id, "item_id": ids.item_id, "kind": "view"}]
    },
    "record_reviews": lambda ids: {"reviews": [{"profile_id": ids.profile_id, "item_id": ids.item_id}]},
    "recommend": lambda ids: {"profile_id": ids.profile_id, "session": [ids.item_id], "reasons": True},
    "train_model": lambda _ids: {"profile": "fast"},
    "change_privacy": lambda _ids: {},
    "put_rules": lambda _ids: {"rules": [{"id": "rule", "items": {"tags": {"eq": "gift"}}}]},
    "record_triples": lambda ids: {"triples": [{"head": ids.item_id, "relation": "like", "tail": "thing"}]},
}
_OPERATIONS_WITHOUT_BODY = {
    "list_items", "get_item", "retire_item", "similar_items", "get_item_image", "put_item_image", "remove_item_image",
    "list_item_reviews", "get_profile", "erase_profile", "list_models", "get_model", "promote_model",
    "roll_back_model", "list_jobs", "get_job", "cancel_job", "get_tenant", "get_privacy",
    "list_rules", "list_triples", "remove_triples",
}  # fmt: skip
# Refusals of one's own ids that belong to the made-up data: a refused version, a finished job.
_EXPECTED_REFUSALS = {("promote_model", 409), ("roll_back_model", 404), ("cancel_job", 409)}
_CREATING_OPERATIONS = ("upsert_item", "upsert_items", "put_profile")
_NARROW_KEY_OPERATIONS = ("get_tenant", "get_privacy")
_METHOD_ORDER = ("GET", "POST", "PUT", "PATCH", "DELETE")
_VARIABLE_PARTS = re.compile(
    rb"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"
    rb'|"request_id":"[^"]*"|\d{4}-\d\d-\d\dT[0-9:.]+(?:Z|\+00:00)|"version":\d+|"catalogue_version":\d+'
)


@dataclass(frozen=True, slots=True)
class AttackedOperation:
    name: str
    method: str
    path: str

    @property
    def is_covered(self) -> bool:
        """Whether an attack is written for it."""
        return self.name in _REQUEST_BODIES or self.name in _OPERATIONS_WITHOUT_BODY

    @property
    def takes_ids(self) -> bool:
        body = _REQUEST_BODIES.get(self.name)
        return "{" in self.path or (body is not None and body(_generate_absent_ids()) != body(_EMPTY_IDS))

    def build_request(self, ids: ProbeIds) -> ClientRequest:
        """Raises AttributeError for a path parameter that `Ids` does not have."""
        path = re.sub(r"{(\w+)}", lambda found: quote(ids.get_id(found[1]), safe=""), self.path)
        if self.name == "put_item_image":
            return ClientRequest(self.method, path, PROBE_PNG, "image/png")
        body = _REQUEST_BODIES.get(self.name)
        return ClientRequest(self.method, path, json.dumps(body(ids)).encode() if body else b"")


@dataclass(frozen=True, slots=True)
class AttackResult:
    """One line of the table; `violations` is empty where all is well."""

    operation: AttackedOperation
    own_status: int
    foreign_status: int | None
    absent_status: int | None
    violations: tuple[str, ...]


def _generate_absent_ids() -> ProbeIds:
    """Ids that nobody has had, as long as those of `Space.private`."""
    nonce = secrets.token_hex(4)
    return ProbeIds(f"item-{nonce}", f"profile-{nonce}", str(UUID(int=0)), "999999999")


def list_operations(client: ApiClient) -> list[AttackedOperation]:
    """From the published schema; reads first, then changes, and what creates last."""
    document = json.loads(client(ClientRequest("GET", "/api/schema"), key="").body)
    found = [
        AttackedOperation(described["operationId"], method.upper(), path)
        for path, methods in document["paths"].items()
        for method, described in methods.items()
    ]
    return sorted(
        found, key=lambda one: (one.name in _CREATING_OPERATIONS, _METHOD_ORDER.index(one.method), one.path)
    )


@dataclass(frozen=True, slots=True)
class _AttackTarget:
    attacker: ProbeTenant
    victim: ProbeTenant
    absent_ids: ProbeIds
    key: str


def run_attack(
    client: ApiClient, attacker: ProbeTenant, victim: ProbeTenant, *, key: str = ""
) -> Iterator[AttackResult]:
    """`attacker` asks for its own ids, the victim's and absent ones. `key` replaces the attacker's key where
    foreign ids are asked for: with the victim's own key the attack must succeed, or it proves nothing."""
    aim = _AttackTarget(attacker, victim, _generate_absent_ids(), key or attacker.key)
    for operation in list_operations(client):
        yield _test_operation(client, operation, aim)


def _test_operation(client: ApiClient, operation: AttackedOperation, target: _AttackTarget) -> AttackResult:
    if not operation.is_covered:
        return AttackResult(operation, 0, None, None, ("no attack is written for this operation",))
    own = client(operation.build_request(target.attacker.mirrored_ids), key=target.attacker.key)
    violations = [
        *_check_own_access(operation, own, target.victim),
        *_check_key_required(client, operation, target.attacker),
    ]
    if not operation.takes_ids:
        return AttackResult(operation, own.status, None, None, tuple(violations))
    foreign = client(operation.build_request(target.victim.private_ids), key=target.key)
    absent = client(operation.build_request(target.absent_ids), key=target.attacker.key)
    violations += _compare_responses(foreign, absent, target)
    return AttackResult(operation, own.status, foreign.status, absent.status, tuple(violations))


def _check_own_access(
    operation: AttackedOperation, response: ClientResponse, victim: ProbeTenant
) -> Iterator[str]:
    if response.status >= 400 and (operation.name, response.status) not in _EXPECTED_REFUSALS:
        yield f"own ids are refused with {response.status}"
    if victim.canary.encode() in response.body:
        yield "the answer to own ids holds the other tenant's data"


def _check_key_required(
    client: ApiClient, operation: AttackedOperation, attacker: ProbeTenant
) -> Iterator[str]:
    request = operation.build_request(attacker.mirrored_ids)
    if (status := client(request, key="").status) != 401:
        yield f"without a key it answers {status}"
    if (
        operation.name not in _NARROW_KEY_OPERATIONS
        and (status := client(request, key=attacker.narrow_key).status) != 403
    ):
        yield f"a key without the scope gets {status}"


def _compare_responses(
    foreign: ClientResponse, absent: ClientResponse, target: _AttackTarget
) -> Iterator[str]:
    if target.victim.canary.encode() in foreign.body:
        yield "the other tenant's data is answered"
    if max(foreign.status, absent.status) >= 500:
        yield f"a server error: {max(foreign.status, absent.status)}"
    if (foreign.status, _normalize_body(foreign, target.victim.private_ids)) != (
        absent.status,
        _normalize_body(absent, target.absent_ids),
    ):
        yield "foreign and absent ids are answered differently"


def _normalize_body(response: ClientResponse, ids: ProbeIds) -> bytes:
    """The body without what differs by nature: the ids asked for, request ids, times, version numbers."""
    body = response.body
    for known in (ids.item_id, ids.profile_id):
        body = body.replace(known.encode(), b"<id>")
    return _VARIABLE_PARTS.sub(b"<variable>", body)
