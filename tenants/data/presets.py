"""Default settings of each vertical, as of 2026-11. A tenant may make them stricter. They are not legal advice."""

from __future__ import annotations

from typing import Literal

from tenants.common.event_kinds import EVENT_KIND_WEIGHTS
from tenants.data.types import EventKind, PrivacySettings

_SENSITIVE_ATTRIBUTES = [
    "religion",
    "race",
    "ethnicity",
    "political_opinion",
    "sexual_orientation",
    "health",
    "union_membership",
]


def _build_privacy(
    basis: Literal["notice", "opt_in"],
    retention_days: int,
    min_count: int,
    denied: list[str],
    *,
    personalisation: Literal["on", "off"] = "on",
) -> PrivacySettings:
    return PrivacySettings(
        basis=basis,
        personalisation=personalisation,
        event_retention_days=retention_days,
        denied_attributes=sorted({*_SENSITIVE_ATTRIBUTES, *denied}),
        report_min_count=min_count,
    )


PRIVACY_PRESETS: dict[str, PrivacySettings] = {
    "ecommerce": _build_privacy("notice", 395, 10, []),
    "content": _build_privacy("notice", 180, 10, []),
    "ads": _build_privacy("opt_in", 90, 50, ["age", "gender", "income"]),
    "finance": _build_privacy("opt_in", 180, 20, ["sex", "gender", "marital", "marital_state", "postcode"]),
    "education": _build_privacy("opt_in", 425, 10, ["disability", "discipline", "emotion"]),
    "medical": _build_privacy(
        "opt_in",
        30,
        20,
        ["genetics", "psychiatry", "hiv", "reproductive"],
        personalisation="off",
    ),
}


def list_denied_attributes(vertical: str, settings: PrivacySettings) -> tuple[str, ...]:
    """Returns the attributes denied by the vertical or by the tenant, sorted. Settings can't allow what the vertical denies."""
    return tuple(sorted({*PRIVACY_PRESETS[vertical].denied_attributes, *settings.denied_attributes}))


EVENT_KINDS: dict[str, EventKind] = {
    name: EventKind(number, weight) for number, (name, weight) in enumerate(EVENT_KIND_WEIGHTS.items())
}
MAX_EVENT_KINDS = 500
