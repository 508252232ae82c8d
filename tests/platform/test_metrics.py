"""`/metrics` needs the token and returns 404 without it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import pytest
from django.test import Client

from lepton_platform import metrics
from recommender.registry import actions
from recommender.registry.types import TrainedModel
from tenants.scope import scope
from tests.portal.workspace import ACTOR, Workspace, open_workspace

TOKEN = "a-token-of-prometheus"


@pytest.fixture(autouse=True)
def empty_cache() -> Iterator[None]:
    metrics._cached_metrics = None
    yield
    metrics._cached_metrics = None


@pytest.fixture
def drifting_workspace(database: None) -> Workspace:
    """A workspace whose model has drifted and has a lower click rate than the previous model."""
    workspace = open_workspace()
    model = TrainedModel(
        uuid4(), uuid4(), "fast", {}, {"candidate": {"ndcg@10": 0.05}}, datetime.now(UTC), None
    )
    drift = {
        "level": "drifted",
        "shifts": {
            "hours": {"value": 0.31, "level": "drifted"},
            "scores": {"value": None, "level": "unknown"},
        },
    }
    with scope(workspace.ref, actor=ACTOR) as s:
        actions.publish_model(s, model, expected=None)
        actions.record_observation(s, 1, drift=drift, live={"rates": {"clicks": [0.04, 0.12]}})
    return workspace


def get_metrics(token: str) -> Any:
    return Client().get("/metrics", headers={"Authorization": f"Bearer {token}"})


@pytest.mark.parametrize(("setting", "token"), [("", ""), ("", TOKEN), (TOKEN, ""), (TOKEN, "another")])
def test_without_the_token_the_page_returns_404(
    database: None, settings: Any, setting: str, token: str
) -> None:
    settings.LEPTON_METRICS_TOKEN = setting
    assert get_metrics(token).status_code == 404


def test_drift_alarms_and_live_rates_are_exported(drifting_workspace: Workspace, settings: Any) -> None:
    settings.LEPTON_METRICS_TOKEN = TOKEN
    response = get_metrics(TOKEN)
    assert response["Content-Type"].startswith("text/plain")
    tenant_lines = [
        line for line in response.content.decode().splitlines() if drifting_workspace.slug in line
    ]
    samples = {re.sub(r',?(region|tenant)="[^"]*"', "", line).replace("{,", "{") for line in tenant_lines}
    assert samples == {
        "lepton_model_ndcg{} 0.05",
        'lepton_model_drift{measure="hours"} 0.31',
        "lepton_model_drift_alarm{} 1.0",
        'lepton_model_follow_rate{outcome="clicks",version="active"} 0.04',
        'lepton_model_follow_rate{outcome="clicks",version="previous"} 0.12',
    }
    assert 'lepton_database_ready{database="default"} 1.0' in response.content.decode()
