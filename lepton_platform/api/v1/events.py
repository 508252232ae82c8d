from __future__ import annotations

from lepton_platform.api.bodies import KIB, Batch
from lepton_platform.api.call import Call, Reply, reply
from lepton_platform.api.operations import Answer, Declared, Rows
from lepton_platform.api.v1.batches import settled
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


@Declared(
    "record_events",
    "POST",
    "events:write",
    "Record events",
    (Answer(EventReceipt, _RECEIPT, means="Committed: what was taken, and why the other rows were not."),),
    about=(
        "Up to 1,000 events. A row that cannot be taken is reported and its neighbours are kept; when no row "
        "can be taken the answer is 422. The same batch sent again within 24 hours has no second effect if "
        "each of its events has a time or an id."
    ),
    body=Rows(EventInput, "events", _REQUEST, limit=2048 * KIB),
).inside
def record(call: Call[Batch[EventInput]], s: Scope) -> Reply:
    receipt = events.record_events(s, call.body.rows)
    return reply(settled(call.body, receipt, name="events"))
