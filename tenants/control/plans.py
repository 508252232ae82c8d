"""Plans and their limits. A tenant's row names its plan; the limits are code and change with a release."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from types import MappingProxyType


@dataclass(frozen=True, slots=True)
class Plan:
    """The limits of a plan. `model_memory_mib` is the memory of one model in a web process."""

    name: str
    requests_per_second: int
    request_burst: int
    events_per_day: int
    catalogue_items: int
    profiles: int
    training_per_day: timedelta
    tuning_per_training: timedelta
    tuning_trials: int
    model_memory_mib: int
    members: int
    api_keys: int


FREE = Plan(
    name="free",
    requests_per_second=20,
    request_burst=40,
    events_per_day=200_000,
    catalogue_items=20_000,
    profiles=50_000,
    training_per_day=timedelta(minutes=60),
    tuning_per_training=timedelta(minutes=3),
    tuning_trials=15,
    model_memory_mib=64,
    members=5,
    api_keys=5,
)
GROWTH = Plan(
    name="growth",
    requests_per_second=200,
    request_burst=400,
    events_per_day=20_000_000,
    catalogue_items=500_000,
    profiles=5_000_000,
    training_per_day=timedelta(hours=6),
    tuning_per_training=timedelta(minutes=20),
    tuning_trials=40,
    model_memory_mib=512,
    members=50,
    api_keys=50,
)
ENTERPRISE = Plan(
    name="enterprise",
    requests_per_second=5_000,
    request_burst=10_000,
    events_per_day=2_000_000_000,
    catalogue_items=20_000_000,
    profiles=500_000_000,
    training_per_day=timedelta(hours=24),
    tuning_per_training=timedelta(hours=2),
    tuning_trials=100,
    model_memory_mib=4_096,
    members=1_000,
    api_keys=1_000,
)

PLANS: Mapping[str, Plan] = MappingProxyType({plan.name: plan for plan in (FREE, GROWTH, ENTERPRISE)})


def get_plan(name: str) -> Plan:
    """Returns the plan with this name. Raises KeyError."""
    return PLANS[name]
