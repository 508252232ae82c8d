from __future__ import annotations

from typing import Any

PRIVACY = "/api/v1/tenant/privacy"


def test_the_tenant_shows_its_limits_and_use(owner: Any, mugs: list[str]) -> None:
    shown = owner.get("/api/v1/tenant").json()
    assert (shown["plan"], shown["region"], shown["vertical"]) == ("growth", "eu", "ecommerce")
    assert (shown["usage"]["live_items"], shown["limits"]["requests_per_second"]) == (3, 200)
    assert shown["event_kinds"]["purchase"] == 5.0


def test_a_setting_is_changed_and_the_others_stay(owner: Any) -> None:
    before = owner.get(PRIVACY).json()
    changed = owner.patch(PRIVACY, {"event_retention_days": 30})
    assert changed.json() == {**before, "event_retention_days": 30} == owner.get(PRIVACY).json()


def test_loosening_is_422_with_a_pointer(owner: Any) -> None:
    answer = owner.patch(PRIVACY, {"event_retention_days": 3650})
    assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (422, "/event_retention_days")


def test_a_value_out_of_range_is_422_with_a_pointer(owner: Any) -> None:
    answer = owner.patch(PRIVACY, {"report_min_count": 0})
    assert answer.json()["errors"][0]["pointer"] == "/report_min_count"


def test_a_reader_may_not_change_settings(reader: Any) -> None:
    assert reader.patch(PRIVACY, {"personalisation": "off"}).status_code == 403


def test_a_strangers_settings_are_their_own(owner: Any, stranger: Any) -> None:
    before = stranger.get(PRIVACY).json()
    owner.patch(PRIVACY, {"event_retention_days": 30})
    assert stranger.get(PRIVACY).json() == before
