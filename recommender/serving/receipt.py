"""What was answered, written down in the answer's own transaction: the proof, and the day's counters.

A lost receipt costs a figure, no event: `person.read` lets this commit not wait for the disk.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from uuid import UUID

from recommender.serving.person import Person
from recommender.serving.types import RecommendAnswer
from tenants.data.actions import receipts
from tenants.data.actions.events import COUNTS
from tenants.scope import Scope

_WRITE = f"WITH kept AS ({receipts.INSERT}) {COUNTS}"


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
    counts = [("requests", 1), ("served", answer.returned)][: 2 if answer.returned else 1]
    today, size = datetime.now(UTC).date().isoformat(), len(counts)
    columns = (
        [today] * size,
        [metric for metric, _ in counts],
        [answer.stage] * size,
        [scenario] * size,
        [count for _, count in counts],
    )
    s.cursor().execute(_WRITE, (*row, s.tenant_id, *columns))
