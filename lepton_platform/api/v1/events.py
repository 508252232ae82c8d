"""The address `events`."""

from __future__ import annotations

from lepton_platform.api.bodies import KIB, DecodedBatch
from lepton_platform.api.messages import ApiRequest, ApiResponse, to_json_response
from lepton_platform.api.operations import BatchBody, ResponseSpec, operation
from lepton_platform.api.v1.batches import finalize_batch
from tenants.data.actions import events
from tenants.data.types import EventInput, EventReceipt, RowError
from tenants.scope import Scope

_REQUEST = {
    "events": [
        {"profile_id": "customer-7", "item_id": "mug-blue", "kind": "view", "at": "2026-11-20T09:30:00Z"},
        {"session_id": "s-91", "item_id": "mug-red", "kind": "purchase", "price": 12.5, "quantity": 2},
    ]
}
_RECEIPT = EventReceipt(
    accepted=1,
    rejected=[RowError(1, "/events/1/item_id", "unknown_item", "No item has this id; send the item first.")],
)


@operation(
    name="record_events",
    method="POST",
    scope="events:write",
    summary="Record events",
    responses=(
        ResponseSpec(
            EventReceipt,
            _RECEIPT,
            description="How many events were stored, and the errors of the other rows.",
        ),
    ),
    description=(
        "Up to 1,000 events. An invalid row is reported and the other rows are stored; if every row is "
        "invalid, the response is 422. Sending the same batch again within 24 hours has no effect if each of "
        "its events has a time or an id."
    ),
    body=BatchBody(EventInput, "events", _REQUEST, max_bytes=2048 * KIB),
)
def record_events(request: ApiRequest[DecodedBatch[EventInput]], s: Scope) -> ApiResponse:
    """Stores a batch of events."""
    receipt = events.record_events(s, request.body.rows)
    return to_json_response(finalize_batch(request.body, receipt, name="events"))
