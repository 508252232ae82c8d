"""Who asks: one round trip for the tenant's settings, the profile's consent and its newest events."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from recommender.serving.types import RecommendRequest
from tenants.data.queries import item_numbers, profiles, space, timeline
from tenants.data.records import CHUNK_EVENTS
from tenants.data.types import EventKind, ProfileInput, SpaceState
from tenants.scope import Scope

Numbers = NDArray[np.int64]
# One statement instead of four: most of a small statement's cost is the client's. A receipt is all that is
# written later in this transaction, and its commit need not wait for the disk.
_READ = f"""
SELECT {space.COLUMNS}, set_config('synchronous_commit', 'off', true),
       (SELECT consent FROM data_profile WHERE tenant_id = %s AND profile_key = %b),
       ({timeline.SEEN}), tail.seqs, tail.bodies
FROM data_tenantstate, LATERAL (
    SELECT array_agg(seq ORDER BY seq) AS seqs, array_agg(body ORDER BY seq) AS bodies FROM ({timeline.TAIL}) AS newest
) AS tail
WHERE tenant_id = %s
"""  # noqa: S608 - constant parts
_GRANTED, _REFUSED = 1, 2
_NOBODY: Numbers = np.empty(0, dtype=np.int64)

TENANT_SAID_NO = "Personalisation is switched off for this tenant."
PROFILE_SAID_NO = "This profile has not consented to personal recommendations."


@dataclass(frozen=True, slots=True)
class Person:
    """Item numbers: `history` oldest first with `weight` above zero; `met` and `disliked` are not shown.

    `impersonal` is empty, or the sentence that says why the history was left out.
    """

    key: bytes | None
    history: Numbers
    weight: NDArray[np.float32]
    met: Numbers
    disliked: Numbers
    from_session: bool
    impersonal: str
    facts: ProfileInput | None = None


def read(s: Scope, request: RecommendRequest, *, facts: bool = False) -> Person:
    """A profile that is not known has an empty history. With `facts`, what is stated of it, where it may be known.

    Raises NotFound when the space is not open."""
    session = _numbers_of(s, request.session or [])
    if request.profile_id is None:
        state = space.state(s)
        return _without_profile(session, key=None, impersonal=_refusal(state, consent=_GRANTED))
    key = profiles.profile_key(s, request.profile_id)
    state, consent, past = _round_trip(s, key)
    refusal = _refusal(state, consent=consent)
    if refusal:
        return _without_profile(session, key=None, impersonal=refusal)
    asks = _with_profile(key, past, session, state.event_kinds)
    return replace(asks, facts=profiles.attributes(s, [key]).get(key)) if facts else asks


def excluded(s: Scope, ids: list[str]) -> Numbers:
    """Unknown ids are ignored: what does not exist is not shown anyway."""
    return _numbers_of(s, ids)


def _round_trip(s: Scope, key: bytes) -> tuple[SpaceState, int, timeline.History]:
    values = (s.tenant_id, key, s.tenant_id, key, s.tenant_id, key, CHUNK_EVENTS, s.tenant_id)
    row = s.cursor(binary=True).execute(_READ, values, prepare=True).fetchone()
    if row is None:
        return space.from_row(None), 0, timeline.opened(s.ref, key, [], None)
    *settings, _quiet, consent, seen, seqs, bodies = row
    chunks = list(zip(seqs or [], bodies or [], strict=True))
    past = timeline.opened(s.ref, key, chunks, None if seen is None else (seen,))
    return space.from_row(tuple(settings)), consent or 0, past


def _refusal(state: SpaceState, *, consent: int) -> str:
    if state.privacy.personalisation == "off":
        return TENANT_SAID_NO
    needed = consent == _GRANTED if state.privacy.basis == "opt_in" else consent != _REFUSED
    return "" if needed else PROFILE_SAID_NO


def _without_profile(session: Numbers, *, key: bytes | None, impersonal: str) -> Person:
    """Where personalisation is not allowed only the item on the page, the session's last, is context."""
    used = session[-1:] if impersonal else session
    return Person(
        key=key,
        history=used,
        weight=np.ones(used.size, dtype=np.float32),
        met=session,
        disliked=_NOBODY,
        from_session=True,
        impersonal=impersonal,
    )


def _with_profile(
    key: bytes, past: timeline.History, session: Numbers, kinds: dict[str, EventKind]
) -> Person:
    weights = _by_number(kinds)[past.events["kind"]]
    items = past.events["item"].astype(np.int64)
    liked = weights > 0
    history = np.concatenate([items[liked], session])
    return Person(
        key=key,
        history=history,
        weight=np.concatenate([weights[liked], np.ones(session.size, dtype=np.float32)]),
        met=np.concatenate([history, past.seen.astype(np.int64)]),
        disliked=items[weights < 0],
        from_session=not liked.any() and session.size > 0,
        impersonal="",
    )


def _by_number(kinds: dict[str, EventKind]) -> NDArray[np.float32]:
    weights = np.zeros(max((kind.number for kind in kinds.values()), default=0) + 1, dtype=np.float32)
    for kind in kinds.values():
        weights[kind.number] = kind.weight
    return weights


def _numbers_of(s: Scope, ids: list[str]) -> Numbers:
    if not ids:
        return _NOBODY
    known = item_numbers.item_numbers(s, ids)
    return np.asarray([known[one] for one in ids if one in known], dtype=np.int64)
