"""What cleaning removed, by rule."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any


@dataclass(frozen=True, slots=True)
class RuleCount:
    """Number of removed events and of their users. `skipped` is the reason why the rule was not applied, or ""."""

    events: int = 0
    users: int = 0
    skipped: str = ""

    def to_json(self) -> dict[str, Any]:
        """The fields events, users and, where it is set, skipped."""
        counts: dict[str, Any] = {"events": self.events, "users": self.users}
        if self.skipped:
            counts["skipped"] = self.skipped
        return counts


@dataclass(frozen=True, slots=True)
class CleaningReport:
    """Counts by rule, in the order of application, and totals; users are counted if they have an event."""

    rules: Mapping[str, RuleCount] = field(default_factory=lambda: MappingProxyType({}))
    events_before: int = 0
    events_after: int = 0
    users_before: int = 0
    users_after: int = 0

    def count_removed_events(self) -> dict[str, int]:
        """Removed events by rule, for the rules that removed any."""
        return {name: count.events for name, count in self.rules.items() if count.events}

    def to_json(self) -> dict[str, Any]:
        """rules by name, and [before, after] of events and users."""
        return {
            "rules": {name: count.to_json() for name, count in self.rules.items()},
            "events": [self.events_before, self.events_after],
            "users": [self.users_before, self.users_after],
        }
