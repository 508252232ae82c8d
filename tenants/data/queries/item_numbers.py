"""From the client's item id to the compact item number. Only known ids are remembered, so a new item counts at once."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable
from threading import Lock
from uuid import UUID

from tenants.keys.queries import keyring
from tenants.scope import Scope

_MAX_IDS = 500_000
_numbers: OrderedDict[UUID, dict[str, int]] = OrderedDict()
_lock = Lock()

_SELECT = "SELECT item_key, item_no FROM data_item WHERE tenant_id = %s AND item_key = ANY(%b)"


def item_numbers(s: Scope, ids: Iterable[str]) -> dict[str, int]:
    """`{id: item_no}` for the known ones among `ids`, retired items included; unknown ids are absent."""
    wanted = set(ids)
    known = _of(s.tenant_id)
    missing = [one for one in wanted if one not in known]
    if missing:
        found = _look_up(s, missing)
        with _lock:
            known.update(found)
            _bound()
        if len(known) < len(wanted):
            known = {**known, **found}
    return known


def _of(tenant: UUID) -> dict[str, int]:
    with _lock:
        known = _numbers.setdefault(tenant, {})
        _numbers.move_to_end(tenant)
    return known


def _look_up(s: Scope, ids: list[str]) -> dict[str, int]:
    by_key = dict(zip(keyring(s.ref).pseudonyms("item", ids), ids, strict=True))
    rows = s.cursor().execute(_SELECT, (s.tenant_id, list(by_key)), prepare=True)
    return {by_key[bytes(key)]: number for key, number in rows}


def _bound() -> None:
    """Drops the tenants that were asked for longest ago; a single large one is started afresh."""
    while sum(map(len, _numbers.values())) > _MAX_IDS:
        _numbers.popitem(last=False)
