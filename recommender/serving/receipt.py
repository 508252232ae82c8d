"""What was answered, written down in the answer's own transaction: the proof, and the day's counters."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from recommender.serving.person import Person
from recommender.serving.types import RecommendAnswer
from tenants.data.actions import counters, receipts
from tenants.scope import Scope


def write(s: Scope, answer: RecommendAnswer, asks: Person, item_no: Sequence[int], *, scenario: str) -> None:
    """One round trip. A lost receipt costs a figure, no event, so this commit does not wait for the disk."""
    facts = {
        "items": list(item_no),
        "stage": answer.stage,
        "model": answer.model_version,
        "scenario": scenario,
        "k": answer.requested,
    }
    row = receipts.row(s, UUID(answer.recommendation_id), asks.key, facts)
    first, second = s.cursor(), s.cursor()
    with first.connection.pipeline():
        first.execute("SET LOCAL synchronous_commit = off")
        second.execute(receipts.INSERT, row)
        counts = [
            ("requests", answer.stage, scenario, 1),
            ("served", answer.stage, scenario, answer.returned),
        ]
        counters.count_served(s, counts if answer.returned else counts[:1])
