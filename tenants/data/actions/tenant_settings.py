"""Changes of a tenant's settings: its space, privacy and event kinds."""

from __future__ import annotations

import json

import msgspec

from tenants import audit
from tenants.common.event_kinds import UNKNOWN_KIND_WEIGHT
from tenants.data.presets import EVENT_KINDS, MAX_EVENT_KINDS, PRIVACY_PRESETS
from tenants.data.queries import tenant_state
from tenants.data.types import EventKind, PrivacySettings, SpaceState
from tenants.errors import Invalid
from tenants.scope import Scope

_OPEN = """
INSERT INTO data_tenantstate (tenant_id, vertical, privacy, event_kinds, catalogue_version, next_item_no,
                              next_source_no, knowledge_version, tombstones, updated_at)
VALUES (%s, %s, %s::jsonb, %s::jsonb, 0, 1, 1, 0, 0, now())
ON CONFLICT (tenant_id) DO NOTHING
"""
# Denied attributes decide which rules apply, so serving has to load the rules again.
_SET_PRIVACY = """
UPDATE data_tenantstate SET privacy = %s::jsonb, knowledge_version = knowledge_version + 1, updated_at = now()
WHERE tenant_id = %s
"""


def open_space(s: Scope, *, vertical: str) -> None:
    """Creates the tenant's row with the defaults of its vertical. Idempotent. Raises Invalid for an unknown vertical."""
    if vertical not in PRIVACY_PRESETS:
        raise Invalid.from_field(
            "/vertical", "unknown_vertical", f"Choose one of: {', '.join(PRIVACY_PRESETS)}."
        )
    privacy = msgspec.json.encode(PRIVACY_PRESETS[vertical]).decode()
    kinds = msgspec.json.encode(EVENT_KINDS).decode()
    opened = s.cursor().execute(_OPEN, (s.tenant_id, vertical, privacy, kinds)).rowcount
    if opened:
        audit.record_entry(s, "space.open", str(s.tenant_id), vertical=vertical)


def update_privacy(s: Scope, settings: PrivacySettings) -> SpaceState:
    """Replaces the privacy settings. They may be stricter than the vertical's preset, not weaker. Raises Invalid."""
    preset = PRIVACY_PRESETS[tenant_state.get_state(s).vertical]
    _refuse_loosening(settings, preset)
    encoded = msgspec.json.encode(settings).decode()
    s.cursor().execute(_SET_PRIVACY, (encoded, s.tenant_id))
    audit.record_entry(
        s,
        "privacy.update",
        str(s.tenant_id),
        personalisation=settings.personalisation,
        basis=settings.basis,
        event_retention_days=settings.event_retention_days,
    )
    return tenant_state.get_state(s)


def _refuse_loosening(settings: PrivacySettings, preset: PrivacySettings) -> None:
    if settings.event_retention_days > preset.event_retention_days:
        raise Invalid.from_field(
            "/event_retention_days",
            "exceeds_vertical_limit",
            f"This vertical keeps events for at most {preset.event_retention_days} days.",
        )
    if preset.basis == "opt_in" and settings.basis != "opt_in":
        raise Invalid.from_field("/basis", "weaker_than_vertical", "This vertical asks for consent (opt_in).")
    missing = sorted(set(preset.denied_attributes) - set(settings.denied_attributes))
    if missing:
        raise Invalid.from_field(
            "/denied_attributes", "weaker_than_vertical", f"Never features here: {', '.join(missing)}."
        )
    if settings.report_min_count < preset.report_min_count:
        raise Invalid.from_field(
            "/report_min_count",
            "weaker_than_vertical",
            f"Reports of this vertical count at least {preset.report_min_count}.",
        )


def register_event_kinds(s: Scope, names: set[str]) -> dict[str, EventKind]:
    """Assigns permanent numbers to new event kinds. Returns all kinds. Raises Invalid for more than 500 kinds."""
    # The row lock serializes concurrent calls, so a number is assigned once.
    row = (
        s.cursor()
        .execute(
            "SELECT event_kinds::text FROM data_tenantstate WHERE tenant_id = %s FOR UPDATE", (s.tenant_id,)
        )
        .fetchone()
    )
    kinds: dict[str, EventKind] = {}
    if row is not None:
        kinds = msgspec.json.decode(row[0], type=dict[str, EventKind])
    for name in sorted(names - kinds.keys()):
        kinds[name] = EventKind(len(kinds), UNKNOWN_KIND_WEIGHT)
    if len(kinds) > MAX_EVENT_KINDS:
        raise Invalid.from_field(
            "/events", "too_many_kinds", f"A tenant has at most {MAX_EVENT_KINDS} event kinds."
        )
    _store_event_kinds(s, kinds)
    return kinds


def set_kind_weights(s: Scope, weights: dict[str, float]) -> dict[str, EventKind]:
    """Sets weights of event kinds in training: 0 is ignored, negative is a dislike. Returns all kinds."""
    kinds = register_event_kinds(s, set(weights))
    for name, weight in weights.items():
        kinds[name] = EventKind(kinds[name].number, weight)
    _store_event_kinds(s, kinds)
    audit.record_entry(s, "event_kinds.update", str(s.tenant_id), kinds=json.dumps(weights))
    return kinds


def _store_event_kinds(s: Scope, kinds: dict[str, EventKind]) -> None:
    s.cursor().execute(
        "UPDATE data_tenantstate SET event_kinds = %s::jsonb WHERE tenant_id = %s",
        (msgspec.json.encode(kinds).decode(), s.tenant_id),
    )
