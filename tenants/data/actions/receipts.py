"""Writing of recommendation receipts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import UUID

import msgspec

from tenants.data.queries import receipts
from tenants.scope import Scope

# Parameters: build_receipt_row.
INSERT_RECEIPT = "INSERT INTO data_receipt (tenant_id, id, profile_key, body) VALUES (%s, %s, %b, %b)"


def build_receipt_row(
    s: Scope,
    receipt_id: UUID,
    profile_key: bytes | None,
    facts: Mapping[str, Any],
) -> tuple[Any, ...]:
    """Returns the parameters of INSERT_RECEIPT; the caller executes it within its own statement.

    Args:
        s: The tenant's scope.
        receipt_id: A UUIDv7; its time is the time of the recommendation.
        profile_key: None for a recommendation without a profile.
        facts: What was recommended and why, JSON-serializable: item numbers in order, stage, model version, request.
    """
    sealed = receipts.get_receipt_cipher(s.ref).seal(msgspec.json.encode(facts), receipt_id.bytes)
    return s.tenant_id, receipt_id, profile_key, sealed
