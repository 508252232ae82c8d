"""What was answered, written down in the answer's own transaction: the proof, and the day's counters.

A lost receipt costs a figure, no event: `person.read` lets this commit not wait for the disk.
"""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from recommender.serving.types import RecommendAnswer
from recommender.serving.user_context import UserContext
from tenants.data.actions import counters, receipts
from tenants.scope import Scope

_INSERT_RECEIPT = f"WITH kept AS ({receipts.INSERT_RECEIPT}) {counters.INSERT_SERVED}"


def write_receipt(
    s: Scope, answer: RecommendAnswer, user: UserContext, item_numbers: Sequence[int], *, scenario: str
) -> None:
    """One statement."""
    facts = {
        "items": list(item_numbers),
        "stage": answer.stage,
        "model": answer.model_version,
        "scenario": scenario,
        "k": answer.requested,
    }
    row = receipts.build_receipt_row(s, UUID(answer.recommendation_id), user.profile_key, facts)
    s.cursor().execute(
        _INSERT_RECEIPT, (*row, s.tenant_id, answer.stage, scenario, answer.returned), prepare=True
    )
