"""Default language, currency and time zone of new tenants, per region."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType


@dataclass(frozen=True, slots=True)
class RegionDefaults:
    """Defaults of one region."""

    language: str
    currency: str
    time_zone: str


_FALLBACK = RegionDefaults("en", "USD", "UTC")
_DEFAULTS: Mapping[str, RegionDefaults] = MappingProxyType(
    {
        "cn": RegionDefaults("zh-hans", "CNY", "Asia/Shanghai"),
        "eu": RegionDefaults("en", "EUR", "Europe/Paris"),
        "us": RegionDefaults("en", "USD", "America/New_York"),
    }
)


def get_region_defaults(region: str) -> RegionDefaults:
    """Returns the defaults of a region; English, USD and UTC for an unknown one."""
    return _DEFAULTS.get(region, _FALLBACK)
