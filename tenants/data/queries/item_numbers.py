"""Look-up of item numbers by the client's item id, with a cache per process.

Numbers never change, so entries do not expire. Unknown ids are not cached, so a new item is found immediately.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable
from threading import Lock
from uuid import UUID

from tenants.keys.queries import get_keyring
from tenants.scope import Scope

# Total over all tenants of the process.
_MAX_IDS = 500_000
_cached_numbers: OrderedDict[UUID, dict[str, int]] = OrderedDict()
_lock = Lock()

_SELECT = "SELECT item_key, item_no FROM data_item WHERE tenant_id = %s AND item_key = ANY(%b)"


def find_item_numbers(s: Scope, ids: Iterable[str]) -> dict[str, int]:
    """Returns item id -> item number. Contains all existing items among `ids`, retired ones included.

    The mapping may contain further items and must not be changed: it is the cache itself.
    """
    requested_ids = set(ids)
    numbers = _get_cached_numbers(s.tenant_id)
    missing = [item_id for item_id in requested_ids if item_id not in numbers]
    if missing:
        loaded = _load_item_numbers(s, missing)
        with _lock:
            numbers.update(loaded)
            _evict_oldest()
        if len(numbers) < len(requested_ids):
            # Another thread may have evicted and replaced entries of this mapping in the meantime.
            numbers = {**numbers, **loaded}
    return numbers


def _get_cached_numbers(tenant: UUID) -> dict[str, int]:
    with _lock:
        numbers = _cached_numbers.setdefault(tenant, {})
        _cached_numbers.move_to_end(tenant)
    return numbers


def _load_item_numbers(s: Scope, ids: list[str]) -> dict[str, int]:
    ids_by_key = dict(zip(get_keyring(s.ref).derive_pseudonyms("item", ids), ids, strict=True))
    rows = s.cursor().execute(_SELECT, (s.tenant_id, list(ids_by_key)), prepare=True)
    return {ids_by_key[bytes(key)]: number for key, number in rows}


def _evict_oldest() -> None:
    """Removes the least recently used tenants; a tenant with too many ids is removed itself and loaded again."""
    while sum(map(len, _cached_numbers.values())) > _MAX_IDS:
        _cached_numbers.popitem(last=False)
