from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

from lepton_platform.api import pagination
from lepton_platform.api.bodies import KIB, DecodedBatch
from lepton_platform.api.messages import NO_CONTENT, ApiRequest, ApiResponse, to_json_response
from lepton_platform.api.operations import PAGE_PARAMETERS, BatchBody, OperationDeclaration, ResponseSpec
from lepton_platform.api.v1.batches import finalize_batch
from recommender.serving.rules import validation
from tenants.data.actions import knowledge as actions
from tenants.data.queries import knowledge
from tenants.data.types import RowError, RuleInput, RulesResult, TripleInput, UpsertResult
from tenants.scope import Scope


class RulePage(msgspec.Struct, frozen=True):
    data: list[RuleInput]
    next_cursor: str | None
    has_more: bool


class TriplePage(msgspec.Struct, frozen=True):
    data: list[TripleInput]
    next_cursor: str | None
    has_more: bool


def _list_page(
    request: ApiRequest[None],
    s: Scope,
    name: str,
    load_rows: Callable[..., tuple[list[Any], bytes | None]],
    page_type: Callable[[list[Any], str | None, bool], RulePage | TriplePage],
) -> ApiResponse:
    after = pagination.decode_cursor(s.tenant_id, name, request.query, bytes.fromhex)
    found, position = load_rows(s, after=after or b"", limit=pagination.parse_page_size(request.query))
    cursor = pagination.encode_cursor(s.tenant_id, name, position.hex() if position else None)
    return to_json_response(page_type(found, cursor, cursor is not None))


_RULE = {
    "id": "students-get-mugs",
    "profile": {"attributes.occupation": {"eq": "student"}},
    "items": {"categories": {"eq": "mugs"}, "price": {"lt": 20}},
    "weight": 1.5,
}
_TRIPLE = {"head": "mug-blue", "relation": "goes_with", "tail": "saucer-blue"}
_REJECTED = RowError(1, "/rules/1/profile/attributes.occuption", "unknown_attribute", "No profile has it.")


@OperationDeclaration(
    "put_rules",
    "PUT",
    "models:write",
    "State the rules: which profiles get which items sooner",
    (
        ResponseSpec(
            RulesResult, RulesResult(1, [_REJECTED]), description="How many were taken, and why not the rest."
        ),
    ),
    description=(
        "All rules at once, in place of those before; an empty list removes them. Rules speak without any event, within "
        "seconds, and count less the more a profile has chosen: like five choices. An attribute that no profile or item "
        "has, or that is never a feature here, is refused, and the other rules are taken."
    ),
    body=BatchBody(RuleInput, "rules", {"rules": [_RULE]}, max_bytes=1024 * KIB),
).bind_in_scope
def put_rules(request: ApiRequest[DecodedBatch[RuleInput]], s: Scope) -> ApiResponse:
    return to_json_response(
        finalize_batch(request.body, validation.replace_rules(s, request.body.rows), name="rules")
    )


@OperationDeclaration(
    "list_rules",
    "GET",
    "models:read",
    "List the rules",
    (ResponseSpec(RulePage, {"data": [_RULE], "next_cursor": None, "has_more": False}),),
    query_parameters=PAGE_PARAMETERS,
).bind_in_scope
def list_rules(request: ApiRequest[None], s: Scope) -> ApiResponse:
    return _list_page(request, s, "rules", knowledge.list_rules, RulePage)


@OperationDeclaration(
    "record_triples",
    "POST",
    "models:write",
    "State knowledge about items: (head, relation, tail)",
    (
        ResponseSpec(
            UpsertResult, UpsertResult(1, 0, 0, []), description="What was taken, and why not the rest."
        ),
    ),
    description=(
        "`head` is an item; `tail` another item, or the name of something that items have in common. Before the first "
        "training they speak within seconds; afterwards the next training learns how much they are worth."
    ),
    body=BatchBody(TripleInput, "triples", {"triples": [_TRIPLE]}, max_bytes=1024 * KIB),
).bind_in_scope
def record_triples(request: ApiRequest[DecodedBatch[TripleInput]], s: Scope) -> ApiResponse:
    return to_json_response(
        finalize_batch(request.body, actions.record_triples(s, request.body.rows), name="triples")
    )


@OperationDeclaration(
    "list_triples",
    "GET",
    "models:read",
    "List the triples",
    (ResponseSpec(TriplePage, {"data": [_TRIPLE], "next_cursor": None, "has_more": False}),),
    query_parameters=PAGE_PARAMETERS,
).bind_in_scope
def list_triples(request: ApiRequest[None], s: Scope) -> ApiResponse:
    return _list_page(request, s, "triples", knowledge.list_triples, TriplePage)


@OperationDeclaration(
    "remove_triples",
    "DELETE",
    "models:write",
    "Remove all triples",
    (ResponseSpec(None, status=204, description="Removed."),),
    description="The model in service forgets them with the next training.",
).bind_in_scope
def remove_triples(_request: ApiRequest[None], s: Scope) -> ApiResponse:
    actions.remove_triples(s)
    return NO_CONTENT
