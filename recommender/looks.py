"""Vectors of a tenant's item images, as models read them. They are made by recommender.training.looking."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from recommender.features.images import ENCODER, WIDTH
from recommender.types import Floats, Halves
from tenants.data.queries import looks
from tenants.regions import TenantRef
from tenants.scope import Actor, Scope, scope

_PAGE = 5_000


def of_items(tenant: TenantRef, item_no: NDArray[np.int32], *, actor: Actor) -> Halves | None:
    """float16 (items, 2048) in the order of `item_no`, zero where there is no image; None where there is none at all."""
    found = np.zeros((0, WIDTH), np.float16)
    for start in range(0, item_no.size, _PAGE):
        with scope(tenant, actor=actor) as s:
            known = of_numbers(s, item_no[start : start + _PAGE].tolist())
        if known and not len(found):
            found = np.zeros((item_no.size, WIDTH), np.float16)
        for place, number in enumerate(item_no[start : start + _PAGE].tolist()):
            if number in known:
                found[start + place] = known[number]
    return found if len(found) else None


def of_numbers(s: Scope, numbers: list[int]) -> dict[int, Halves]:
    """float16 (2048) of those items whose image was read."""
    stored = looks.of_items(s, ENCODER, numbers)
    return {no: np.frombuffer(body, np.float16) for no, body in stored.items() if len(body) == 2 * WIDTH}


def to_bytes(vector: Floats) -> bytes:
    return vector.astype(np.float16).tobytes()
