"""What a new tenant of a region gets unless it says otherwise."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType


@dataclass(frozen=True, slots=True)
class RegionDefaults:
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
    return _DEFAULTS.get(region, _FALLBACK)
