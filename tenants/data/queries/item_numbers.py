"""From the client's item id to the compact item number. Only known ids are remembered, so a new item counts at once."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable
from threading import Lock
from uuid import UUID

from tenants.keys.queries import get_keyring
from tenants.scope import Scope

_MAX_IDS = 500_000
_cached_numbers: OrderedDict[UUID, dict[str, int]] = OrderedDict()
_lock = Lock()

_SELECT = "SELECT item_key, item_no FROM data_item WHERE tenant_id = %s AND item_key = ANY(%b)"


def find_item_numbers(s: Scope, ids: Iterable[str]) -> dict[str, int]:
    """`{id: item_no}` for the known ones among `ids`, retired items included; unknown ids are absent."""
    wanted = set(ids)
    known = _get_cached_numbers(s.tenant_id)
    missing = [one for one in wanted if one not in known]
    if missing:
        found = _load_item_numbers(s, missing)
        with _lock:
            known.update(found)
            _evict_oldest()
        if len(known) < len(wanted):
            known = {**known, **found}
    return known


def _get_cached_numbers(tenant: UUID) -> dict[str, int]:
    with _lock:
        known = _cached_numbers.setdefault(tenant, {})
        _cached_numbers.move_to_end(tenant)
    return known


def _load_item_numbers(s: Scope, ids: list[str]) -> dict[str, int]:
    by_key = dict(zip(get_keyring(s.ref).derive_pseudonyms("item", ids), ids, strict=True))
    rows = s.cursor().execute(_SELECT, (s.tenant_id, list(by_key)), prepare=True)
    return {by_key[bytes(key)]: number for key, number in rows}


def _evict_oldest() -> None:
    """Drops the tenants that were asked for longest ago; a single large one is started afresh."""
    while sum(map(len, _cached_numbers.values())) > _MAX_IDS:
        _cached_numbers.popitem(last=False)
