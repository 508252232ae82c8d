"""Standard event kinds and their training weights."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

# The order is stored: a tenant's event rows refer to kinds by their position here. Append only.
EVENT_KIND_WEIGHTS: Mapping[str, float] = MappingProxyType(
    {
        "impression": 0.0,
        "view": 1.0,
        "click": 1.5,
        "cart": 3.0,
        "bookmark": 2.0,
        "like": 2.0,
        "play": 1.0,
        "submit": 1.0,
        "purchase": 5.0,
        "rating": 1.0,
        "dismiss": -1.0,
    }
)
UNKNOWN_KIND_WEIGHT = 1.0
