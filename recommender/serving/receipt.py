"""What was answered, written down in the answer's own transaction: the proof, and the day's counters.

A lost receipt costs a figure, no event: `person.read` lets this commit not wait for the disk.
"""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from recommender.serving.person import Person
from recommender.serving.types import RecommendAnswer
from tenants.data.actions import counters, receipts
from tenants.scope import Scope

_WRITE = f"WITH kept AS ({receipts.INSERT}) {counters.SERVED}"


def write(s: Scope, answer: RecommendAnswer, asks: Person, item_no: Sequence[int], *, scenario: str) -> None:
    """One statement."""
    facts = {
        "items": list(item_no),
        "stage": answer.stage,
        "model": answer.model_version,
        "scenario": scenario,
        "k": answer.requested,
    }
    row = receipts.row(s, UUID(answer.recommendation_id), asks.key, facts)
    s.cursor().execute(_WRITE, (*row, s.tenant_id, answer.stage, scenario, answer.returned), prepare=True)
