"""The user's context of a request: one round trip for settings, consent and the newest events of a profile."""

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
# One statement instead of four: most of the cost of a small statement is the round trip and the client's own work.
# The receipt is the only later write of this transaction, and its commit need not wait for the disk.
_CONTEXT_QUERY = f"""
SELECT {tenant_state.COLUMNS}, set_config('synchronous_commit', 'off', true),
       (SELECT consent FROM data_profile WHERE tenant_id = %(tenant)s AND profile_key = %(key)b),
       ({timeline.SEEN}), tail.seqs, tail.bodies
FROM data_tenantstate, LATERAL (
    SELECT array_agg(seq ORDER BY seq) AS seqs, array_agg(body ORDER BY seq) AS bodies FROM ({timeline.TAIL}) AS newest
) AS tail
WHERE tenant_id = %(tenant)s
"""  # noqa: S608 - constant parts
_NO_ITEMS: ItemNumberArray = np.empty(0, dtype=np.int64)

PERSONALISATION_OFF = "Personalisation is switched off for this tenant."
CONSENT_MISSING = "This profile has not consented to personal recommendations."


@dataclass(
    frozen=True,
    slots=True,
)
class UserContext:
    """What the ranking may use of a user. All item arrays hold item numbers.

    Attributes:
        profile_key: None for requests without a profile, or if personalisation is not allowed.
        history: items with positive weight, oldest first.
        weight: float32 (history), weights of the event kinds.
        seen: items that are not recommended because they are in the history.
        disliked: items with an event of negative weight; not recommended.
        is_from_session: whether the history holds events of the session only.
        not_personalised_reason: why the profile's history is not used; empty if it is used.
        profile: attributes of the profile, if requested and allowed.
    """

    profile_key: bytes | None
    history: ItemNumberArray
    weight: NDArray[np.float32]
    seen: ItemNumberArray
    disliked: ItemNumberArray
    is_from_session: bool
    not_personalised_reason: str
    profile: ProfileInput | None = None


@dataclass(
    frozen=True,
    slots=True,
)
class _ProfileRow:
    """The result of _CONTEXT_QUERY for one profile."""

    state: SpaceState
    consent: int
    history: timeline.ProfileHistory


def load_user_context(s: Scope, request: RecommendRequest, *, with_profile: bool = False) -> UserContext:
    """Loads the context of a request; a profile without events has an empty history.

    `with_profile` also loads the profile's attributes, if personalisation is allowed.

    Raises NotFound if the tenant has no open data space.
    """
    session = _resolve_item_numbers(s, request.session or [])
    if request.profile_id is None:
        state = tenant_state.get_state(s)
        refusal = "" if state.privacy.personalisation == "on" else PERSONALISATION_OFF
        return _build_anonymous_context(session, refusal)
    profile_key = profiles.derive_profile_key(s, request.profile_id)
    row = _fetch_profile_row(s, profile_key)
    refusal = _check_personalisation(row.state, consent=row.consent)
    if refusal:
        return _build_anonymous_context(session, refusal)
    user = _build_profile_context(
        profile_key,
        row.history,
        session,
        row.state.event_kinds,
    )
    if not with_profile:
        return user
    return replace(user, profile=profiles.load_profiles(s, [profile_key]).get(profile_key))


def find_excluded_items(s: Scope, ids: list[str]) -> ItemNumberArray:
    """Item numbers of the given ids; ids that the tenant does not have are ignored."""
    return _resolve_item_numbers(s, ids)


def _fetch_profile_row(s: Scope, profile_key: bytes) -> _ProfileRow:
    values = {
        "tenant": s.tenant_id,
        "key": profile_key,
        "limit": CHUNK_EVENTS,
    }
    row = s.cursor(binary=True).execute(_CONTEXT_QUERY, values, prepare=True).fetchone()
    if row is None:
        no_history = timeline.open_history(
            s.ref,
            profile_key,
            [],
            None,
        )
        return _ProfileRow(tenant_state.from_row(None), 0, no_history)
    # set_config() returns a column too; it has no use here.
    *settings, _synchronous_commit, consent, seen, seqs, bodies = row
    chunks = list(zip(seqs or [], bodies or [], strict=True))
    history = timeline.open_history(
        s.ref,
        profile_key,
        chunks,
        None if seen is None else (seen,),
    )
    return _ProfileRow(tenant_state.from_row(tuple(settings)), consent or 0, history)


def _check_personalisation(state: SpaceState, *, consent: int) -> str:
    """Why the profile's history may not be used; empty if it may be."""
    if state.privacy.personalisation == "off":
        return PERSONALISATION_OFF
    if not allows_profiling(state.privacy, consent):
        return CONSENT_MISSING
    return ""


def _build_anonymous_context(session: ItemNumberArray, not_personalised_reason: str) -> UserContext:
    """If personalisation is not allowed, only the item on the page, the session's last, is used as context."""
    history = session[-1:] if not_personalised_reason else session
    return UserContext(
        profile_key=None,
        history=history,
        weight=np.ones(history.size, dtype=np.float32),
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
    """Joins the stored events with the session, whose items all have weight 1."""
    weights = _build_weight_table(event_kinds)[past_events.events["kind"]]
    items = past_events.events["item"].astype(np.int64)
    is_positive = weights > 0
    history = np.concatenate([items[is_positive], session])
    session_weights = np.ones(session.size, dtype=np.float32)
    return UserContext(
        profile_key=profile_key,
        history=history,
        weight=np.concatenate([weights[is_positive], session_weights]),
        seen=np.concatenate([history, past_events.seen.astype(np.int64)]),
        disliked=items[weights < 0],
        is_from_session=not is_positive.any() and session.size > 0,
        not_personalised_reason="",
    )


def _build_weight_table(event_kinds: dict[str, EventKind]) -> NDArray[np.float32]:
    """float32 indexed by the number of an event kind."""
    largest_number = max((kind.number for kind in event_kinds.values()), default=0)
    weights = np.zeros(largest_number + 1, dtype=np.float32)
    for kind in event_kinds.values():
        weights[kind.number] = kind.weight
    return weights


def _resolve_item_numbers(s: Scope, ids: list[str]) -> ItemNumberArray:
    """Item numbers in the order of the ids; unknown ids are left out."""
    if not ids:
        return _NO_ITEMS
    numbers = item_numbers.find_item_numbers(s, ids)
    return np.asarray([numbers[item_id] for item_id in ids if item_id in numbers], dtype=np.int64)
