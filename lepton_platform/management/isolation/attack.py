"""The attack: every operation of the API schema is called with own, foreign and absent ids, and responses are compared."""

from __future__ import annotations

import json
import re
import secrets
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote
from uuid import UUID

from lepton_platform.http_client import HttpResponse
from lepton_platform.management.isolation.clients import ApiClient, ClientRequest
from lepton_platform.management.isolation.tenant_pair import PROBE_PNG, ProbeIds, ProbeTenant

# Violations that the negative controls must produce.
DATA_LEAKED = "the other tenant's data is returned"
IDS_DISTINGUISHED = "foreign and absent ids get different answers"

_EMPTY_IDS = ProbeIds("", "", "", "")

# Request body of each operation, by its name in the schema. An operation in neither table fails the check, so that a
# new one can't be forgotten.
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
# Refusals of own ids that are right for the probe data: its model version was refused, its job is cancelled.
_EXPECTED_REFUSALS = {("promote_model", 409), ("roll_back_model", 404), ("cancel_job", 409)}
# Called last, because afterwards the absent ids of the other operations would exist.
_CREATING_OPERATIONS = ("upsert_item", "upsert_items", "put_profile")
_NARROW_KEY_OPERATIONS = ("get_tenant", "get_privacy")
_METHOD_ORDER = ("GET", "POST", "PUT", "PATCH", "DELETE")
# UUIDs, request ids, times and version numbers differ between any two responses.
_VARIABLE_PARTS = re.compile(
    rb"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"
    rb'|"request_id":"[^"]*"|\d{4}-\d\d-\d\dT[0-9:.]+(?:Z|\+00:00)|"version":\d+|"catalogue_version":\d+'
)


@dataclass(frozen=True, slots=True)
class AttackedOperation:
    """One operation of the published schema; `path` contains parameters in braces."""

    name: str
    method: str
    path: str

    @property
    def is_covered(self) -> bool:
        """Whether this module states what to send."""
        return self.name in _REQUEST_BODIES or self.name in _OPERATIONS_WITHOUT_BODY

    @property
    def takes_ids(self) -> bool:
        """Whether path or body depend on ids."""
        if "{" in self.path:
            return True
        build_body = _REQUEST_BODIES.get(self.name)
        return build_body is not None and build_body(_generate_absent_ids()) != build_body(_EMPTY_IDS)

    def build_request(self, ids: ProbeIds) -> ClientRequest:
        """The request with `ids`. Raises AttributeError for a path parameter that ProbeIds does not have."""
        path = re.sub(r"{(\w+)}", lambda match: quote(ids.get_id(match[1]), safe=""), self.path)
        if self.name == "put_item_image":
            return ClientRequest(self.method, path, PROBE_PNG, "image/png")
        build_body = _REQUEST_BODIES.get(self.name)
        if build_body is None:
            return ClientRequest(self.method, path)
        return ClientRequest(self.method, path, json.dumps(build_body(ids)).encode())


@dataclass(frozen=True, slots=True)
class AttackResult:
    """Statuses with own, foreign and absent ids (None where the operation takes no ids), and what is wrong."""

    operation: AttackedOperation
    own_status: int
    foreign_status: int | None
    absent_status: int | None
    violations: tuple[str, ...]


def _generate_absent_ids() -> ProbeIds:
    """Ids that no tenant has, as long as those of `ProbeTenant.private_ids`, so that response sizes are comparable."""
    nonce = secrets.token_hex(4)
    return ProbeIds(f"item-{nonce}", f"profile-{nonce}", str(UUID(int=0)), "999999999")


def list_operations(client: ApiClient) -> list[AttackedOperation]:
    """Operations of the published schema: reads first, then changes, and creating operations last."""
    document = json.loads(client(ClientRequest("GET", "/api/schema"), key="").body)
    operations = []
    for path, methods in document["paths"].items():
        for method, description in methods.items():
            operations.append(AttackedOperation(description["operationId"], method.upper(), path))
    return sorted(operations, key=_get_attack_order)


def _get_attack_order(operation: AttackedOperation) -> tuple[bool, int, str]:
    is_creating = operation.name in _CREATING_OPERATIONS
    return (is_creating, _METHOD_ORDER.index(operation.method), operation.path)


@dataclass(frozen=True, slots=True)
class _AttackTarget:
    """`key` is sent with foreign ids: the attacker's, or in a negative control the victim's own."""

    attacker: ProbeTenant
    victim: ProbeTenant
    absent_ids: ProbeIds
    key: str


def run_attack(
    client: ApiClient,
    attacker: ProbeTenant,
    victim: ProbeTenant,
    *,
    key: str = "",
) -> Iterator[AttackResult]:
    """Calls every operation with the attacker's, the victim's and absent ids.

    Args:
        client: sends the requests.
        attacker: whose key is used.
        victim: whose private ids are the foreign ones.
        key: replaces the attacker's key for foreign ids. With the victim's own key the attack must succeed, which
            proves that it can.
    """
    target = _AttackTarget(attacker, victim, _generate_absent_ids(), key or attacker.key)
    for operation in list_operations(client):
        yield _test_operation(client, operation, target)


def _test_operation(client: ApiClient, operation: AttackedOperation, target: _AttackTarget) -> AttackResult:
    if not operation.is_covered:
        return AttackResult(operation, 0, None, None, ("no attack is written for this operation",))
    own_response = client(operation.build_request(target.attacker.mirrored_ids), key=target.attacker.key)
    violations = list(_check_own_access(operation, own_response, target.victim))
    violations += _check_key_required(client, operation, target.attacker)
    if not operation.takes_ids:
        return AttackResult(operation, own_response.status, None, None, tuple(violations))
    foreign = client(operation.build_request(target.victim.private_ids), key=target.key)
    absent = client(operation.build_request(target.absent_ids), key=target.attacker.key)
    violations += _compare_responses(foreign, absent, target)
    return AttackResult(operation, own_response.status, foreign.status, absent.status, tuple(violations))


def _check_own_access(
    operation: AttackedOperation, response: HttpResponse, victim: ProbeTenant
) -> Iterator[str]:
    if response.status >= 400 and (operation.name, response.status) not in _EXPECTED_REFUSALS:
        yield f"own ids are refused with {response.status}"
    if victim.canary.encode() in response.body:
        yield "the response to own ids contains the other tenant's data"


def _check_key_required(
    client: ApiClient, operation: AttackedOperation, attacker: ProbeTenant
) -> Iterator[str]:
    request = operation.build_request(attacker.mirrored_ids)
    status = client(request, key="").status
    if status != 401:
        yield f"without a key it answers {status}"
    if operation.name in _NARROW_KEY_OPERATIONS:
        return
    status = client(request, key=attacker.narrow_key).status
    if status != 403:
        yield f"a key without the scope gets {status}"


def _compare_responses(foreign: HttpResponse, absent: HttpResponse, target: _AttackTarget) -> Iterator[str]:
    if target.victim.canary.encode() in foreign.body:
        yield DATA_LEAKED
    if max(foreign.status, absent.status) >= 500:
        yield f"a server error: {max(foreign.status, absent.status)}"
    # A foreign id must look exactly like one that does not exist.
    foreign_body = _normalize_body(foreign, target.victim.private_ids)
    absent_body = _normalize_body(absent, target.absent_ids)
    if (foreign.status, foreign_body) != (absent.status, absent_body):
        yield IDS_DISTINGUISHED


def _normalize_body(response: HttpResponse, ids: ProbeIds) -> bytes:
    """The body with requested ids and variable parts replaced by placeholders."""
    body = response.body
    for requested_id in (ids.item_id, ids.profile_id):
        body = body.replace(requested_id.encode(), b"<id>")
    return _VARIABLE_PARTS.sub(b"<variable>", body)
