"""Whatever is sent, the answer is one of the documented ones and never a server error."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

EVENTS = "/api/v1/events"
QUICK = settings(
    max_examples=150,
    deadline=None,
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=40)
anything = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
)
timestamps = st.datetimes().map(lambda at: f"{at.isoformat()}Z")
nearly_events = st.fixed_dictionaries(
    {"item_id": st.sampled_from(["mug-blue", "mug-red"]) | scalars, "kind": st.just("view") | scalars},
    optional={
        "profile_id": st.text(max_size=300) | scalars,
        "session_id": st.text(max_size=20),
        "at": timestamps | scalars,
        "value": st.floats() | scalars,
        "price": st.floats(min_value=0, max_value=1e12) | scalars,
        "quantity": st.floats() | scalars,
        "id": st.text(max_size=20),
        "recommendation_id": st.text(max_size=70),
        "scenario": st.sampled_from(["default", "home\n", ""]) | scalars,
    },
)


@QUICK
@given(rows=st.lists(nearly_events | anything, max_size=6))
def test_bodies_of_events_are_accepted_or_refused(owner: Any, mugs: list[str], rows: list[Any]) -> None:
    answer = owner.post(EVENTS, json.dumps({"events": rows}))
    assert answer.status_code in {200, 400, 413, 422, 429}


@QUICK
@given(body=anything)
def test_any_json_is_accepted_or_refused(owner: Any, body: Any) -> None:
    for path in (EVENTS, "/api/v1/items", "/api/v1/recommendations", "/api/v1/items/batch"):
        assert owner.post(path, json.dumps(body)).status_code in {200, 400, 413, 422, 429}


@QUICK
@given(content=st.binary(max_size=200))
def test_any_bytes_are_refused(owner: Any, content: bytes) -> None:
    assert owner.post(EVENTS, content).status_code in {400, 422, 429}
