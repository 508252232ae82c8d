from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

from lepton_platform.api import pagination
from lepton_platform.api.bodies import KIB, Batch
from lepton_platform.api.call import NO_CONTENT, Call, Reply, reply
from lepton_platform.api.operations import LISTING, Answer, Declared, Rows
from lepton_platform.api.v1.batches import settled
from recommender.serving import stating
from tenants.data.actions import knowledge as actions
from tenants.data.queries import knowledge
from tenants.data.types import RowError, RuleInput, RulesTaken, TripleInput, UpsertResult
from tenants.scope import Scope


class RulePage(msgspec.Struct, frozen=True):
    data: list[RuleInput]
    next_cursor: str | None
    has_more: bool


class TriplePage(msgspec.Struct, frozen=True):
    data: list[TripleInput]
    next_cursor: str | None
    has_more: bool


def _page(
    call: Call[None],
    s: Scope,
    name: str,
    read: Callable[..., tuple[list[Any], bytes | None]],
    page: Callable[[list[Any], str | None, bool], RulePage | TriplePage],
) -> Reply:
    after = pagination.read_cursor(s.tenant_id, name, call.query, bytes.fromhex)
    found, position = read(s, after=after or b"", limit=pagination.limit(call.query))
    cursor = pagination.write_cursor(s.tenant_id, name, position.hex() if position else None)
    return reply(page(found, cursor, cursor is not None))


_RULE = {
    "id": "students-get-mugs",
    "profile": {"attributes.occupation": {"eq": "student"}},
    "items": {"categories": {"eq": "mugs"}, "price": {"lt": 20}},
    "weight": 1.5,
}
_TRIPLE = {"head": "mug-blue", "relation": "goes_with", "tail": "saucer-blue"}
_REJECTED = RowError(1, "/rules/1/profile/attributes.occuption", "unknown_attribute", "No profile has it.")


@Declared(
    "put_rules",
    "PUT",
    "models:write",
    "State the rules: which profiles get which items sooner",
    (Answer(RulesTaken, RulesTaken(1, [_REJECTED]), means="How many were taken, and why not the rest."),),
    about=(
        "All rules at once, in place of those before; an empty list removes them. Rules speak without any event, within "
        "seconds, and count less the more a profile has chosen: like five choices. An attribute that no profile or item "
        "has, or that is never a feature here, is refused, and the other rules are taken."
    ),
    body=Rows(RuleInput, "rules", {"rules": [_RULE]}, limit=1024 * KIB),
).inside
def put_rules(call: Call[Batch[RuleInput]], s: Scope) -> Reply:
    return reply(settled(call.body, stating.replace_rules(s, call.body.rows), name="rules"))


@Declared(
    "list_rules",
    "GET",
    "models:read",
    "List the rules",
    (Answer(RulePage, {"data": [_RULE], "next_cursor": None, "has_more": False}),),
    query=LISTING,
).inside
def rules(call: Call[None], s: Scope) -> Reply:
    return _page(call, s, "rules", knowledge.rules_page, RulePage)


@Declared(
    "record_triples",
    "POST",
    "models:write",
    "State knowledge about items: (head, relation, tail)",
    (Answer(UpsertResult, UpsertResult(1, 0, 0, []), means="What was taken, and why not the rest."),),
    about=(
        "`head` is an item; `tail` another item, or the name of something that items have in common. Before the first "
        "training they speak within seconds; afterwards the next training learns how much they are worth."
    ),
    body=Rows(TripleInput, "triples", {"triples": [_TRIPLE]}, limit=1024 * KIB),
).inside
def record_triples(call: Call[Batch[TripleInput]], s: Scope) -> Reply:
    return reply(settled(call.body, actions.record_triples(s, call.body.rows), name="triples"))


@Declared(
    "list_triples",
    "GET",
    "models:read",
    "List the triples",
    (Answer(TriplePage, {"data": [_TRIPLE], "next_cursor": None, "has_more": False}),),
    query=LISTING,
).inside
def triples(call: Call[None], s: Scope) -> Reply:
    return _page(call, s, "triples", knowledge.triples_page, TriplePage)


@Declared(
    "remove_triples",
    "DELETE",
    "models:write",
    "Remove all triples",
    (Answer(None, status=204, means="Removed."),),
    about="The model in service forgets them with the next training.",
).inside
def remove_triples(_call: Call[None], s: Scope) -> Reply:
    actions.remove_triples(s)
    return NO_CONTENT
