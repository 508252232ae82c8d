"""Who asks: one round trip for the tenant's settings, the profile's consent and its newest events."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from recommender.serving.types import RecommendRequest
from tenants.data.queries import item_numbers, profiles, tenant_state, timeline
from tenants.data.queries.consent import allows_profiling
from tenants.data.records import CHUNK_EVENTS
from tenants.data.types import EventKind, ProfileInput, SpaceState
from tenants.scope import Scope

ItemNumberArray = NDArray[np.int64]
# One statement instead of four: most of a small statement's cost is the client's. A receipt is all that is
# written later in this transaction, and its commit need not wait for the disk.
_CONTEXT_QUERY = f"""
SELECT {tenant_state.COLUMNS}, set_config('synchronous_commit', 'off', true),
       (SELECT consent FROM data_profile WHERE tenant_id = %s AND profile_key = %b),
       ({timeline.SEEN}), tail.seqs, tail.bodies
FROM data_tenantstate, LATERAL (
    SELECT array_agg(seq ORDER BY seq) AS seqs, array_agg(body ORDER BY seq) AS bodies FROM ({timeline.TAIL}) AS newest
) AS tail
WHERE tenant_id = %s
"""  # noqa: S608 - constant parts
_NO_ITEMS: ItemNumberArray = np.empty(0, dtype=np.int64)

PERSONALISATION_OFF = "Personalisation is switched off for this tenant."
CONSENT_MISSING = "This profile has not consented to personal recommendations."


@dataclass(frozen=True, slots=True)
class UserContext:
    """Item numbers: `history` oldest first with `weight` above zero; `met` and `disliked` are not shown.

    `impersonal` is empty, or the sentence that says why the history was left out.
    """

    profile_key: bytes | None
    history: ItemNumberArray
    weight: NDArray[np.float32]
    seen: ItemNumberArray
    disliked: ItemNumberArray
    is_from_session: bool
    not_personalised_reason: str
    profile: ProfileInput | None = None


def load_user_context(s: Scope, request: RecommendRequest, *, with_profile: bool = False) -> UserContext:
    """A profile that is not known has an empty history. With `facts`, what is stated of it, where it may be known.

    Raises NotFound when the space is not open."""
    session = _resolve_item_numbers(s, request.session or [])
    if request.profile_id is None:
        state = tenant_state.get_state(s)
        return _build_anonymous_context(
            session,
            profile_key=None,
            not_personalised_reason="" if state.privacy.personalisation == "on" else PERSONALISATION_OFF,
        )
    key = profiles.derive_profile_key(s, request.profile_id)
    state, consent, past = _fetch_profile_row(s, key)
    refusal = _check_personalisation(state, consent=consent)
    if refusal:
        return _build_anonymous_context(session, profile_key=None, not_personalised_reason=refusal)
    asks = _build_profile_context(key, past, session, state.event_kinds)
    return replace(asks, profile=profiles.load_profiles(s, [key]).get(key)) if with_profile else asks


def find_excluded_items(s: Scope, ids: list[str]) -> ItemNumberArray:
    """Unknown ids are ignored: what does not exist is not shown anyway."""
    return _resolve_item_numbers(s, ids)


def _fetch_profile_row(s: Scope, profile_key: bytes) -> tuple[SpaceState, int, timeline.ProfileHistory]:
    values = (
        s.tenant_id,
        profile_key,
        s.tenant_id,
        profile_key,
        s.tenant_id,
        profile_key,
        CHUNK_EVENTS,
        s.tenant_id,
    )
    row = s.cursor(binary=True).execute(_CONTEXT_QUERY, values, prepare=True).fetchone()
    if row is None:
        return tenant_state.from_row(None), 0, timeline.open_history(s.ref, profile_key, [], None)
    *settings, _quiet, consent, seen, seqs, bodies = row
    chunks = list(zip(seqs or [], bodies or [], strict=True))
    past = timeline.open_history(s.ref, profile_key, chunks, None if seen is None else (seen,))
    return tenant_state.from_row(tuple(settings)), consent or 0, past


def _check_personalisation(state: SpaceState, *, consent: int) -> str:
    if state.privacy.personalisation == "off":
        return PERSONALISATION_OFF
    return "" if allows_profiling(state.privacy, consent) else CONSENT_MISSING


def _build_anonymous_context(
    session: ItemNumberArray, *, profile_key: bytes | None, not_personalised_reason: str
) -> UserContext:
    """Where personalisation is not allowed only the item on the page, the session's last, is context."""
    used = session[-1:] if not_personalised_reason else session
    return UserContext(
        profile_key=profile_key,
        history=used,
        weight=np.ones(used.size, dtype=np.float32),
        seen=session,
        disliked=_NO_ITEMS,
        is_from_session=True,
        not_personalised_reason=not_personalised_reason,
    )


def _build_profile_context(
    profile_key: bytes,
    past_events: timeline.ProfileHistory,
    session: ItemNumberArray,
    event_kinds: dict[str, EventKind],
) -> UserContext:
    weights = _build_weight_table(event_kinds)[past_events.events["kind"]]
    items = past_events.events["item"].astype(np.int64)
    liked = weights > 0
    history = np.concatenate([items[liked], session])
    return UserContext(
        profile_key=profile_key,
        history=history,
        weight=np.concatenate([weights[liked], np.ones(session.size, dtype=np.float32)]),
        seen=np.concatenate([history, past_events.seen.astype(np.int64)]),
        disliked=items[weights < 0],
        is_from_session=not liked.any() and session.size > 0,
        not_personalised_reason="",
    )


def _build_weight_table(event_kinds: dict[str, EventKind]) -> NDArray[np.float32]:
    weights = np.zeros(max((kind.number for kind in event_kinds.values()), default=0) + 1, dtype=np.float32)
    for kind in event_kinds.values():
        weights[kind.number] = kind.weight
    return weights


def _resolve_item_numbers(s: Scope, ids: list[str]) -> ItemNumberArray:
    if not ids:
        return _NO_ITEMS
    known = item_numbers.find_item_numbers(s, ids)
    return np.asarray([known[one] for one in ids if one in known], dtype=np.int64)
