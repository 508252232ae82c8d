"""The addresses `knowledge/rules` and `knowledge/triples`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

from lepton_platform.api import pagination
from lepton_platform.api.bodies import KIB, DecodedBatch
from lepton_platform.api.messages import NO_CONTENT, ApiRequest, ApiResponse, to_json_response
from lepton_platform.api.operations import PAGE_PARAMETERS, BatchBody, ResponseSpec, operation
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
    # Rules and triples are stored by a keyed hash of their id; its bytes are the position.
    after = pagination.decode_cursor(s.tenant_id, name, request.query, bytes.fromhex)
    limit = pagination.parse_page_size(request.query)
    rows, position = load_rows(s, after=after or b"", limit=limit)
    cursor = pagination.encode_cursor(s.tenant_id, name, position.hex() if position else None)
    return to_json_response(page_type(rows, cursor, cursor is not None))


_RULE = {
    "id": "students-get-mugs",
    "profile": {"attributes.occupation": {"eq": "student"}},
    "items": {"categories": {"eq": "mugs"}, "price": {"lt": 20}},
    "weight": 1.5,
}
_TRIPLE = {"head": "mug-blue", "relation": "goes_with", "tail": "saucer-blue"}
_REJECTED = RowError(1, "/rules/1/profile/attributes.occuption", "unknown_attribute", "No profile has it.")


@operation(
    name="put_rules",
    method="PUT",
    scope="models:write",
    summary="Replace the rules: which items are preferred for which profiles",
    responses=(
        ResponseSpec(
            RulesResult,
            RulesResult(1, [_REJECTED]),
            description="How many rules were accepted, and the errors of the others.",
        ),
    ),
    description=(
        "Replaces all rules; an empty list removes them. Rules take effect within seconds and need no events. "
        "Their weight decreases with the number of a profile's events: a rule counts like five events. A rule "
        "that uses an attribute which no profile or item has, or which is a denied attribute, is rejected; "
        "the others are stored."
    ),
    body=BatchBody(RuleInput, "rules", {"rules": [_RULE]}, max_bytes=1024 * KIB),
)
def put_rules(request: ApiRequest[DecodedBatch[RuleInput]], s: Scope) -> ApiResponse:
    """Replaces all rules."""
    # Attribute names are checked against the stored profiles and items, which needs the tenant's scope.
    result = validation.replace_rules(s, request.body.rows)
    return to_json_response(finalize_batch(request.body, result, name="rules"))


@operation(
    name="list_rules",
    method="GET",
    scope="models:read",
    summary="List the rules",
    responses=(ResponseSpec(RulePage, {"data": [_RULE], "next_cursor": None, "has_more": False}),),
    query_parameters=PAGE_PARAMETERS,
)
def list_rules(request: ApiRequest[None], s: Scope) -> ApiResponse:
    """Returns a page of the rules."""
    return _list_page(request, s, "rules", knowledge.list_rules, RulePage)


@operation(
    name="record_triples",
    method="POST",
    scope="models:write",
    summary="Record triples about items: (head, relation, tail)",
    responses=(
        ResponseSpec(
            UpsertResult,
            UpsertResult(1, 0, 0, []),
            description="How many rows were accepted, and the errors of the others.",
        ),
    ),
    description=(
        "`head` is an item. `tail` is another item, or the name of something that items have in common. "
        "Before the first training, triples take effect within seconds; later, the next training learns their "
        "weight."
    ),
    body=BatchBody(TripleInput, "triples", {"triples": [_TRIPLE]}, max_bytes=1024 * KIB),
)
def record_triples(request: ApiRequest[DecodedBatch[TripleInput]], s: Scope) -> ApiResponse:
    """Stores up to 1,000 triples."""
    result = actions.record_triples(s, request.body.rows)
    return to_json_response(finalize_batch(request.body, result, name="triples"))


@operation(
    name="list_triples",
    method="GET",
    scope="models:read",
    summary="List the triples",
    responses=(ResponseSpec(TriplePage, {"data": [_TRIPLE], "next_cursor": None, "has_more": False}),),
    query_parameters=PAGE_PARAMETERS,
)
def list_triples(request: ApiRequest[None], s: Scope) -> ApiResponse:
    """Returns a page of the triples."""
    return _list_page(request, s, "triples", knowledge.list_triples, TriplePage)


@operation(
    name="remove_triples",
    method="DELETE",
    scope="models:write",
    summary="Remove all triples",
    responses=(ResponseSpec(None, status=204, description="Removed."),),
    description="The active model uses them until the next training.",
)
def remove_triples(_request: ApiRequest[None], s: Scope) -> ApiResponse:
    """Deletes all triples."""
    actions.remove_triples(s)
    return NO_CONTENT
