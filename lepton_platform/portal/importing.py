"""Loads a parsed file in batches, each a transaction of its own; what was not taken is said."""

from __future__ import annotations

from dataclasses import dataclass, field

from lepton_platform.portal.access import Here
from lepton_platform.portal.uploads import Parsed, Rejected
from lepton_platform.portal.wording import said_at
from tenants.data.actions import catalog
from tenants.errors import FieldError
from tenants.scope import scope


@dataclass(slots=True)
class Outcome:
    created: int = 0
    updated: int = 0
    unchanged: int = 0
    rejected: list[Rejected] = field(default_factory=list)

    @property
    def taken(self) -> int:
        return self.created + self.updated + self.unchanged


def load(here: Here, parsed: Parsed) -> Outcome:
    outcome = Outcome(rejected=list(parsed.rejected))
    for start in range(0, len(parsed.items), catalog.MAX_ITEMS):
        _load_batch(here, parsed, start, outcome)
    outcome.rejected.sort(key=lambda one: one.number)
    return outcome


def _load_batch(here: Here, parsed: Parsed, start: int, outcome: Outcome) -> None:
    with scope(here.ref, actor=here.actor) as s:
        result = catalog.upsert_items(s, parsed.items[start : start + catalog.MAX_ITEMS])
    outcome.created += result.created
    outcome.updated += result.updated
    outcome.unchanged += result.unchanged
    for error in result.rejected:
        at = start + error.row
        reason = said_at(FieldError(error.pointer, error.code, error.detail))
        outcome.rejected.append(Rejected(parsed.numbers[at], reason, parsed.sources[at]))
