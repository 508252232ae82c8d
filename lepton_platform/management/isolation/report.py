"""The whole check of one region, with the controls that show it can fail."""

from __future__ import annotations

from dataclasses import dataclass, field

from lepton_platform.management.isolation import catalogue
from lepton_platform.management.isolation.attack import Finding, attack
from lepton_platform.management.isolation.doors import Door
from lepton_platform.management.isolation.rows import fingerprint
from lepton_platform.management.isolation.spaces import Space, close, prepare
from tenants import regions

_LEAST_LEAKS_OF_CONTROL = 5


@dataclass(slots=True)
class Report:
    region: str
    findings: list[Finding] = field(default_factory=list)
    changed: list[str] = field(default_factory=list)
    catalogue: list[str] = field(default_factory=list)
    controls: dict[str, bool] = field(default_factory=dict)
    relations: int = 0

    @property
    def violations(self) -> list[str]:
        found = [f"{one.operation.name}: {sentence}" for one in self.findings for sentence in one.violations]
        found += [f"rows of the other tenant changed in {table}" for table in self.changed]
        found += self.catalogue
        return found + [f"control failed: {name}" for name, holds in self.controls.items() if not holds]


def check(region: str, door: Door) -> Report:
    """Raises Refused when the two tenants could not be filled."""
    report = Report(region)
    aliases = [regions.CONTROL, regions.data_alias(region), regions.keys_alias(region)]
    report.catalogue = [f"{alias}: {one}" for alias in aliases for one in catalogue.problems(alias)]
    report.relations = sum(len(catalogue.relations(alias)) for alias in aliases)
    attacker, victim = prepare(region, door)
    try:
        _attack(report, door, attacker, victim)
        _controls(report, door, attacker, victim)
    finally:
        close(attacker, victim)
    return report


def _attack(report: Report, door: Door, attacker: Space, victim: Space) -> None:
    before = fingerprint(victim.tenant.ref)
    report.findings = [*attack(door, attacker, victim)]
    after = fingerprint(victim.tenant.ref)
    report.changed = [table for table in before if before[table] != after.get(table)]


def _controls(report: Report, door: Door, attacker: Space, victim: Space) -> None:
    """The victim's own key in the attacker's hand: data must be seen and rows must change."""
    before = fingerprint(victim.tenant.ref)
    impostor = [*attack(door, attacker, victim, key=victim.key)]
    seen = sum("the other tenant's data is answered" in one.violations for one in impostor)
    told = sum("foreign and absent ids are answered differently" in one.violations for one in impostor)
    report.controls = {
        f"a stolen key shows the other tenant's data ({seen} operations)": seen >= _LEAST_LEAKS_OF_CONTROL,
        f"a stolen key tells foreign from absent ids ({told} operations)": told >= _LEAST_LEAKS_OF_CONTROL,
        "a change of the other tenant's rows is noticed": before != fingerprint(victim.tenant.ref),
        "a table without locks is noticed": len(catalogue.control()) == 4,
    }
