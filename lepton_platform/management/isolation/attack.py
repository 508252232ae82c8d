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

from lepton_platform.management.isolation.doors import Answer, Door, Request
from lepton_platform.management.isolation.spaces import PNG, Ids, Space

_NONE = Ids("", "", "", "")

# What an operation is sent, by its name in the schema: an operation that stands in neither table fails the check.
_BODIES: Mapping[str, Callable[[Ids], Any]] = {
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
_WITHOUT_BODY = {
    "list_items", "get_item", "retire_item", "similar_items", "get_item_image", "put_item_image", "remove_item_image",
    "list_item_reviews", "get_profile", "erase_profile", "list_models", "get_model", "promote_model",
    "roll_back_model", "list_jobs", "get_job", "cancel_job", "get_tenant", "get_privacy",
    "list_rules", "list_triples", "remove_triples",
}  # fmt: skip
# Refusals of one's own ids that belong to the made-up data: a refused version, a finished job.
_OWN_REFUSALS = {("promote_model", 409), ("roll_back_model", 404), ("cancel_job", 409)}
_CREATES = ("upsert_item", "upsert_items", "put_profile")
_FOR_NARROW_KEYS = ("get_tenant", "get_privacy")
_ORDER = ("GET", "POST", "PUT", "PATCH", "DELETE")
_VARIABLE = re.compile(
    rb"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"
    rb'|"request_id":"[^"]*"|\d{4}-\d\d-\d\dT[0-9:.]+(?:Z|\+00:00)|"version":\d+|"catalogue_version":\d+'
)


@dataclass(frozen=True, slots=True)
class Operation:
    name: str
    method: str
    path: str

    @property
    def is_known(self) -> bool:
        """Whether an attack is written for it."""
        return self.name in _BODIES or self.name in _WITHOUT_BODY

    @property
    def takes_ids(self) -> bool:
        body = _BODIES.get(self.name)
        return "{" in self.path or (body is not None and body(_absent()) != body(_NONE))

    def request(self, ids: Ids) -> Request:
        """Raises AttributeError for a path parameter that `Ids` does not have."""
        path = re.sub(r"{(\w+)}", lambda found: quote(ids.of(found[1]), safe=""), self.path)
        if self.name == "put_item_image":
            return Request(self.method, path, PNG, "image/png")
        body = _BODIES.get(self.name)
        return Request(self.method, path, json.dumps(body(ids)).encode() if body else b"")


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the table; `violations` is empty where all is well."""

    operation: Operation
    own: int
    foreign: int | None
    absent: int | None
    violations: tuple[str, ...]


def _absent() -> Ids:
    """Ids that nobody has had, as long as those of `Space.private`."""
    nonce = secrets.token_hex(4)
    return Ids(f"item-{nonce}", f"profile-{nonce}", str(UUID(int=0)), "999999999")


def operations(door: Door) -> list[Operation]:
    """From the published schema; reads first, then changes, and what creates last."""
    document = json.loads(door(Request("GET", "/api/schema"), key="").body)
    found = [
        Operation(described["operationId"], method.upper(), path)
        for path, methods in document["paths"].items()
        for method, described in methods.items()
    ]
    return sorted(found, key=lambda one: (one.name in _CREATES, _ORDER.index(one.method), one.path))


@dataclass(frozen=True, slots=True)
class _Aim:
    attacker: Space
    victim: Space
    missing: Ids
    key: str


def attack(door: Door, attacker: Space, victim: Space, *, key: str = "") -> Iterator[Finding]:
    """`attacker` asks for its own ids, the victim's and absent ones. `key` replaces the attacker's key where
    foreign ids are asked for: with the victim's own key the attack must succeed, or it proves nothing."""
    aim = _Aim(attacker, victim, _absent(), key or attacker.key)
    for operation in operations(door):
        yield _finding(door, operation, aim)


def _finding(door: Door, operation: Operation, aim: _Aim) -> Finding:
    if not operation.is_known:
        return Finding(operation, 0, None, None, ("no attack is written for this operation",))
    own = door(operation.request(aim.attacker.own), key=aim.attacker.key)
    violations = [*_own(operation, own, aim.victim), *_doors_shut(door, operation, aim.attacker)]
    if not operation.takes_ids:
        return Finding(operation, own.status, None, None, tuple(violations))
    foreign = door(operation.request(aim.victim.private), key=aim.key)
    absent = door(operation.request(aim.missing), key=aim.attacker.key)
    violations += _compared(foreign, absent, aim)
    return Finding(operation, own.status, foreign.status, absent.status, tuple(violations))


def _own(operation: Operation, own: Answer, victim: Space) -> Iterator[str]:
    if own.status >= 400 and (operation.name, own.status) not in _OWN_REFUSALS:
        yield f"own ids are refused with {own.status}"
    if victim.canary.encode() in own.body:
        yield "the answer to own ids holds the other tenant's data"


def _doors_shut(door: Door, operation: Operation, attacker: Space) -> Iterator[str]:
    request = operation.request(attacker.own)
    if (status := door(request, key="").status) != 401:
        yield f"without a key it answers {status}"
    if (
        operation.name not in _FOR_NARROW_KEYS
        and (status := door(request, key=attacker.narrow_key).status) != 403
    ):
        yield f"a key without the scope gets {status}"


def _compared(foreign: Answer, absent: Answer, aim: _Aim) -> Iterator[str]:
    if aim.victim.canary.encode() in foreign.body:
        yield "the other tenant's data is answered"
    if max(foreign.status, absent.status) >= 500:
        yield f"a server error: {max(foreign.status, absent.status)}"
    if (foreign.status, _plain(foreign, aim.victim.private)) != (absent.status, _plain(absent, aim.missing)):
        yield "foreign and absent ids are answered differently"


def _plain(answer: Answer, ids: Ids) -> bytes:
    """The body without what differs by nature: the ids asked for, request ids, times, version numbers."""
    body = answer.body
    for known in (ids.item_id, ids.profile_id):
        body = body.replace(known.encode(), b"<id>")
    return _VARIABLE.sub(b"<variable>", body)
