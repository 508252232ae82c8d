"""Writes the receipt of an answer, and the day's counters, in the answer's own transaction.

`load_user_context` turns off `synchronous_commit` for this transaction, so a crash of the database can lose the newest
receipts. Receipts feed metrics only; events are written elsewhere and are not affected.
"""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from recommender.serving.types import RecommendAnswer
from recommender.serving.user_context import UserContext
from tenants.data.actions import counters, receipts
from tenants.scope import Scope

# A data-modifying CTE runs even though the main statement does not read it: both inserts take one round trip.
_INSERT_RECEIPT = f"WITH kept AS ({receipts.INSERT_RECEIPT}) {counters.INSERT_SERVED}"


def write_receipt(
    s: Scope,
    answer: RecommendAnswer,
    user: UserContext,
    item_numbers: Sequence[int],
    *,
    scenario: str,
) -> None:
    """Inserts the encrypted receipt and adds to the counters of requests and items; one statement."""
    facts = {
        "items": list(item_numbers),
        "stage": answer.stage,
        "model": answer.model_version,
        "scenario": scenario,
        "k": answer.requested,
    }
    receipt_values = receipts.build_receipt_row(
        s,
        UUID(answer.recommendation_id),
        user.profile_key,
        facts,
    )
    counter_values = (s.tenant_id, answer.stage, scenario, answer.returned)
    s.cursor().execute(_INSERT_RECEIPT, (*receipt_values, *counter_values), prepare=True)
