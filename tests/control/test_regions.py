"""The directory of regions follows the settings."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from tenants.control.actions import sync_regions
from tenants.control.models import Region
from tenants.control.queries import check_regions, list_regions
from tenants.regions import TenantRef


@pytest.fixture(autouse=True)
def restore_regions(database: None, settings: Any) -> Iterator[None]:
    configured = settings.LEPTON_REGIONS
    yield
    settings.LEPTON_REGIONS = configured
    sync_regions()
    Region.objects.exclude(code__in=configured).delete()


def test_the_region_table_matches_the_settings(settings: Any) -> None:
    assert [region.code for region in list_regions() if region.active] == sorted(settings.LEPTON_REGIONS)
    assert check_regions() == []


def test_synchronising_twice_changes_nothing() -> None:
    before = list(Region.objects.values())
    sync_regions()
    assert list(Region.objects.values()) == before


def test_a_new_region_is_missing_until_it_is_synchronised(settings: Any) -> None:
    eu = settings.LEPTON_REGIONS["eu"]
    settings.LEPTON_REGIONS = {
        **settings.LEPTON_REGIONS,
        "jp": replace(eu, code="jp", name_en="Japan", name_zh="日本"),
    }
    assert len(check_regions()) == 1
    sync_regions()
    assert check_regions() == []


def test_a_region_with_tenants_cannot_leave_the_settings_unnoticed(tenant: TenantRef, settings: Any) -> None:
    settings.LEPTON_REGIONS = {
        code: region for code, region in settings.LEPTON_REGIONS.items() if code != "eu"
    }
    settings.LEPTON_SERVED_REGIONS = ("cn",)
    assert [problem for problem in check_regions() if "Tenants live" in problem]


def test_serving_an_unknown_region_is_a_problem(settings: Any) -> None:
    settings.LEPTON_SERVED_REGIONS = (*settings.LEPTON_SERVED_REGIONS, "mars")
    assert [problem for problem in check_regions() if "'mars'" in problem]


def test_a_region_has_a_name_in_both_languages(settings: Any) -> None:
    from django.utils.translation import override

    china = Region.objects.get(code="cn")
    with override("zh-hans"):
        assert str(china) == settings.LEPTON_REGIONS["cn"].name_zh
    with override("en"):
        assert str(china) == settings.LEPTON_REGIONS["cn"].name_en
