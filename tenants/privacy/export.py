"""Export of everything stored about one profile, with the client's ids, for a data subject access request.

Lines by `type`:

* profile: the fields of ProfileInput;
* event: at (ISO 8601, milliseconds), item_id, kind, and value, price, quantity where set;
* review: the fields of ReviewInput, at;
* recommendation: id, at, the recorded facts, items (ids).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import msgspec
import numpy as np

from tenants import audit
from tenants.data.queries import catalog, profiles, receipts, reviews, tenant_state, timeline
from tenants.data.queries.profiles import derive_profile_key
from tenants.regions import TenantRef
from tenants.scope import Actor, Scope, scope

ExportLine = dict[str, Any]
_CHUNKS = "SELECT seq, body FROM data_timeline WHERE tenant_id = %s AND profile_key = %b ORDER BY seq"
_REVIEWS = (
    "SELECT review_key, at, body FROM data_review WHERE tenant_id = %s AND profile_key = %b ORDER BY at"
)
_RECEIPTS = "SELECT id, body FROM data_receipt WHERE tenant_id = %s AND profile_key = %b ORDER BY id"


def export_profile(tenant: TenantRef, profile_id: str, *, actor: Actor) -> list[ExportLine]:
    """Returns one line per stored object, events oldest first; empty if nothing is stored.

    Each type is read in one statement, so its lines are consistent; different types may be of slightly different times.
    """
    lines: list[ExportLine] = []
    with scope(tenant, actor=actor) as s:
        key = derive_profile_key(s, profile_id)
        for exporter in EXPORTERS.values():
            lines.extend(exporter(s, key))
        audit.record_entry(s, "profile.export", "profile", lines=len(lines))
    return lines


def _iter_profile_lines(s: Scope, key: bytes) -> Iterator[ExportLine]:
    for profile in profiles.load_profiles(s, [key]).values():
        yield {"type": "profile", **_to_line(profile)}


def _iter_event_lines(s: Scope, key: bytes) -> Iterator[ExportLine]:
    rows = s.cursor(binary=True).execute(_CHUNKS, (s.tenant_id, key)).fetchall()
    events = timeline.open_history(s.ref, key, rows, None).events
    items = _load_item_ids(s, np.unique(events["item"]).tolist())
    event_kinds = tenant_state.get_state(s).event_kinds
    kind_names = {kind.number: name for name, kind in event_kinds.items()}
    for event in events:
        yield {"type": "event", **_build_event_line(event, items, kind_names)}


def _build_event_line(event: Any, items: dict[int, str], kind_names: dict[int, str]) -> ExportLine:
    at = datetime.fromtimestamp(int(event["at"]) / 1000, UTC).isoformat(timespec="milliseconds")
    line: ExportLine = {
        "at": at,
        "item_id": items.get(int(event["item"])),
        "kind": kind_names.get(int(event["kind"])),
    }
    for name in ("value", "price", "quantity"):
        # NaN is stored for absent numbers.
        if not np.isnan(event[name]):
            line[name] = float(event[name])
    return line


def _iter_review_lines(s: Scope, key: bytes) -> Iterator[ExportLine]:
    rows = s.cursor(binary=True).execute(_REVIEWS, (s.tenant_id, key)).fetchall()
    review_keys = [bytes(review_key) for review_key, _at, _body in rows]
    sealed = [body for _key, _at, body in rows]
    bodies = reviews.get_review_cipher(s.ref).open_many(sealed, review_keys)
    for (_key, at, _sealed), body in zip(rows, bodies, strict=True):
        yield {"type": "review", **msgspec.json.decode(body), "at": at.isoformat()}


def _iter_recommendation_lines(s: Scope, key: bytes) -> Iterator[ExportLine]:
    for receipt_id, body in s.cursor(binary=True).execute(_RECEIPTS, (s.tenant_id, key)).fetchall():
        facts = msgspec.json.decode(receipts.get_receipt_cipher(s.ref).open(body, receipt_id.bytes))
        items = _load_item_ids(s, facts["items"])
        yield {
            "type": "recommendation",
            "id": str(receipt_id),
            "at": _read_issue_time(receipt_id).isoformat(),
            **facts,
            "items": [items.get(number) for number in facts["items"]],
        }


def _read_issue_time(receipt_id: UUID) -> datetime:
    """Returns the time in a UUIDv7: its first 48 bits are Unix milliseconds (RFC 9562)."""
    return datetime.fromtimestamp((receipt_id.int >> 80) / 1000, UTC)


def _load_item_ids(s: Scope, numbers: list[int]) -> dict[int, str]:
    stored_items = catalog.load_items_by_number(s, numbers)
    return {number: stored.item.id for number, stored in stored_items.items()}


def _to_line(struct: msgspec.Struct) -> ExportLine:
    plain: ExportLine = msgspec.to_builtins(struct)
    return plain


# Table -> exporter, for every table whose lifecycle exports it with its profile.
EXPORTERS: dict[str, Callable[[Scope, bytes], Iterator[ExportLine]]] = {
    "data_profile": _iter_profile_lines,
    "data_timeline": _iter_event_lines,
    "data_review": _iter_review_lines,
    "data_receipt": _iter_recommendation_lines,
}
