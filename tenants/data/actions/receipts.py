from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import UUID

import msgspec

from tenants.data.queries import receipts
from tenants.scope import Scope

INSERT_RECEIPT = "INSERT INTO data_receipt (tenant_id, id, profile_key, body) VALUES (%s, %s, %b, %b)"


def build_row(
    s: Scope, receipt_id: UUID, profile_key: bytes | None, facts: Mapping[str, Any]
) -> tuple[Any, ...]:
    """The parameters of `INSERT`, for a caller that sends it within its own round trip."""
    sealed = receipts.get_receipt_cipher(s.ref).seal(msgspec.json.encode(facts), receipt_id.bytes)
    return s.tenant_id, receipt_id, profile_key, sealed


def write_receipt(s: Scope, receipt_id: UUID, profile_key: bytes | None, facts: Mapping[str, Any]) -> None:
    """What was answered and why: item numbers in order, stage, model version, request."""
    s.cursor().execute(INSERT_RECEIPT, build_row(s, receipt_id, profile_key, facts))
