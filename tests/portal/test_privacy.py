from __future__ import annotations

from typing import Any

from tenants.data.presets import PRIVACY_PRESETS
from tenants.data.queries import tenant_state
from tenants.data.types import PrivacySettings
from tenants.scope import scope
from tests.portal.workspace import ACTOR, Workspace

PRESET = PRIVACY_PRESETS["ecommerce"]
ASKED = {
    "personalisation": "off",
    "basis": "opt_in",
    "event_retention_days": "90",
    "denied_attributes": ", ".join([*PRESET.denied_attributes, "age"]),
    "report_min_count": "25",
}


def _privacy(shop: Workspace) -> PrivacySettings:
    with scope(shop.ref, actor=ACTOR) as s:
        return tenant_state.get_state(s).privacy


def test_stricter_settings_are_kept(shop: Workspace, owner: Any) -> None:
    owner.post(shop.page("privacy"), ASKED)
    settings = _privacy(shop)
    assert (settings.personalisation, settings.basis, settings.event_retention_days) == ("off", "opt_in", 90)
    assert "age" in settings.denied_attributes


def test_looser_settings_are_refused_at_their_field(shop: Workspace, owner: Any) -> None:
    page = owner.post(shop.page("privacy"), {**ASKED, "event_retention_days": "3000"}).content.decode()
    assert "Longer than this industry&#x27;s rules allow." in page
    assert _privacy(shop) == PRESET


def test_the_page_names_the_region(shop: Workspace, owner: Any) -> None:
    assert "EU · European Union" in owner.get(shop.page("privacy")).content.decode()
