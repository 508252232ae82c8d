"""Test workspaces with items, events, daily counts, model versions, jobs, keys and members."""

from __future__ import annotations

import json
import re
import secrets
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from math import sin
from typing import Any
from uuid import uuid4

import numpy as np
from django.test import Client
from uuid_utils.compat import uuid7

from recommender.algorithms.common.score_blend import Blend
from recommender.algorithms.ensemble.ensemble import Ensemble
from recommender.algorithms.popularity.popularity import Popularity
from recommender.evaluation.decisions.promotion_gate import DecisionReason
from recommender.registry import actions as registry
from recommender.registry import artefacts, queries
from recommender.registry.bundle import Bundle
from recommender.registry.types import TrainedModel
from recommender.tenant_data import interactions
from tenants.control import actions as control
from tenants.control.models import User
from tenants.data.actions import catalog, events, jobs
from tenants.data.types import EventInput, ItemInput
from tenants.regions import TenantRef
from tenants.scope import Actor, control_scope, scope
from tests.platform.tenants import open_test_tenant

ACTOR = Actor("system", "test")
PASSWORD = "correct horse battery staple"
NOUNS = ("field jacket", "pour-over set", "trail runner", "crew", "backpack", "desk lamp", "mug", "scarf")
KINDS = (("Linen", "Outerwear"), ("Ceramic", "Kitchen"), ("Merino", "Knitwear"), ("Canvas", "Bags"))
_COUNTS = """
INSERT INTO data_counterdelta (tenant_id, id, day, metric, kind, scenario, count)
SELECT %s, nextval('data_counterdelta_id'), d::date, m, k, 'home', n
FROM unnest(%s::text[], %s::text[], %s::text[], %s::int8[]) AS t(d, m, k, n)
"""


@dataclass(frozen=True)
class Workspace:
    ref: TenantRef
    slug: str
    owner: User

    def page(self, name: str = "overview", path: str = "") -> str:
        return f"/t/{self.slug}/{name}/{path}"


def new_user(name: str = "Ada", password: str | None = None) -> User:
    """Creates an account. Only tests of the sign-in form need a password, whose hashing is slow on purpose."""
    email = f"{name.lower()}-{secrets.token_hex(4)}@example.com"
    return control.create_user(email=email, name=name, password=password, actor=ACTOR)


def open_workspace(name: str = "Lumen Market", **settings: Any) -> Workspace:
    """Opens an empty workspace with an owner."""
    owner = new_user()
    slug = f"lumen-{secrets.token_hex(4)}"
    ref = open_test_tenant(actor=ACTOR, name=name, slug=slug, owner=owner, **settings)
    return Workspace(ref, slug, owner)


def add_colleague(workspace: Workspace, role: str) -> User:
    user = new_user(role)
    with control_scope(workspace.ref.id, actor=ACTOR) as s:
        control.add_member(s, user, role)
    return user


def browser(user: User) -> Client:
    client = Client()
    client.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
    return client


def page_text(client: Client, path: str) -> str:
    """The HTML of a page without the white space around tags, which depends on the format of the template."""
    html = client.get(path).content.decode()
    return re.sub(r"\s*(<[^>]*>)\s*", r"\1", html)


def items(count: int = 32) -> list[ItemInput]:
    return [
        ItemInput(
            id=f"sku-{n}",
            title=f"{KINDS[n % 4][0]} {NOUNS[n % 8]} {n}",
            description="Made to last, and to be mended.",
            categories=[KINDS[n % 4][1]],
            brand="Nord",
            price=19.0 + n,
            currency="EUR",
            attributes={"season": "spring"},
        )
        for n in range(count)
    ]


def furnish(workspace: Workspace) -> None:
    """Fills a workspace. Its second model version is active and consists of popularity; the first was refused."""
    with scope(workspace.ref, actor=ACTOR) as s:
        catalog.upsert_items(s, items())
        events.record_events(s, visits())
        s.cursor().execute(_COUNTS, (workspace.ref.id, *_days()))
    refuse(workspace, _WORSE)
    publish(workspace, ndcg=0.052)
    observe(workspace)
    with scope(workspace.ref, actor=ACTOR) as s:
        jobs.request_job(s, "train", parameters={"profile": "fast"})
    with control_scope(workspace.ref.id, actor=ACTOR) as s:
        control.create_api_key(s, name="Shop server", scopes=["items:write", "events:write"])
    add_colleague(workspace, "analyst")


_WORSE = (DecisionReason("not_better", {"k": 10, "candidate": 0.031, "baseline": 0.033}),)


def visits(item_count: int = 32) -> list[EventInput]:
    now = datetime.now(UTC)
    return [
        EventInput(
            profile_id=f"u-{n % 40}", item_id=f"sku-{n * 7 % item_count}", kind=("view", "click", "purchase")[n % 3],
            at=now - timedelta(hours=n),
        )
        for n in range(400)
    ]  # fmt: skip


def _days() -> tuple[list[str], list[str], list[str], list[int]]:
    rows = []
    today = datetime.now(UTC).date()
    for age in range(90):
        day = (today - timedelta(days=age)).isoformat()
        level = int(3900 - 14 * age + 260 * sin(age * 1.7) + 190 * sin(age / 2.3))
        rows += [(day, "requests", "model", level), (day, "served", "model", level * 10)]
        rows += [
            (day, "attributed", "click", int(level * (0.62 - age / 900))),
            (day, "events", "view", level * 3),
        ]
        rows += [(day, "events", "click", level), (day, "events", "purchase", level // 9)]
    days, metrics, kinds, counts = zip(*rows, strict=True)
    return list(days), list(metrics), list(kinds), list(counts)


def publish(workspace: Workspace, *, ndcg: float, reason: str = "") -> None:
    """Publishes a version with these metrics. Without a reason it has real files and is activated."""
    artefact_id = uuid7()
    manifest = {} if reason else artefacts.write_artefact(workspace.ref, artefact_id, _files(workspace))
    trained = TrainedModel(
        job_id=uuid4(),
        artefact_id=artefact_id,
        profile="fast",
        manifest=manifest,
        metrics=_metrics(ndcg),
        trained_at=datetime.now(UTC),
        latest_event_at=datetime.now(UTC),
        refused=bool(reason),
        reason=reason,
    )
    with scope(workspace.ref, actor=ACTOR) as s:
        registry.publish_model(s, trained, expected=queries.get_active_number(s))


def refuse(workspace: Workspace, reasons: tuple[DecisionReason, ...]) -> None:
    """Publishes a version that the promotion gate refused."""
    refused = TrainedModel(
        uuid4(), uuid7(), "fast", {}, _metrics(0.03), datetime.now(UTC), None, refused=True, reasons=reasons
    )
    with scope(workspace.ref, actor=ACTOR) as s:
        registry.publish_model(s, refused, expected=queries.get_active_number(s))


def observe(workspace: Workspace) -> None:
    """Stores online metrics and drift of the active version."""
    live = {
        "baseline_version": "v0",
        "recommendations": 900,
        "rates": {"clicks": [0.04, 0.12], "dismissals": [0.02, 0.01]},
    }
    hours, scores = {"value": 0.31, "level": "drifted"}, {"value": None, "level": "unknown"}
    drift = {
        "level": "drifted",
        "shifts": {"hours": hours, "scores": scores},
        "measured_at": "2026-11-20T09:41:00+00:00",
    }
    with scope(workspace.ref, actor=ACTOR) as s:
        registry.record_observation(s, queries.get_active_number(s) or 0, live=live, drift=drift)


def _files(workspace: Workspace) -> dict[str, bytes]:
    source = interactions.load_training_data(workspace.ref, actor=ACTOR, report=lambda _done: None)
    popularity = Popularity()
    popularity.fit(source.dataset, np.random.default_rng(0))
    ensemble = Ensemble({"popularity": popularity}, Blend({"popularity": 1.0}), source.dataset.n_items, {})
    return dict(Bundle(ensemble, source.item_numbers).to_files())


def _metrics(ndcg: float) -> dict[str, Any]:
    def measures(value: float) -> dict[str, float]:
        return {"ndcg@10": value, "recall@10": value * 1.9, "coverage@10": 0.41}

    weights = {"ease": 0.55, "sequence": 0.3, "content": 0.1, "popularity": 0.05}
    return {
        "serving_mode": "model",
        "cases": 812,
        "gate": {"slices": {"new_profiles": _slice(120), "country=FR": _slice(64)}},
        "candidate": measures(ndcg),
        "popularity": measures(0.033),
        "weights": weights,
        "validation": {name: measures(ndcg * weight) for name, weight in weights.items()},
        "selection": {
            "ndcg_without": {"ease": 0.0213, "sequence": 0.0314, "content": 0.0322, "recurrent": 0.0331},
            "dropped": {"recurrent": "no_gain"},
        },
        "seconds": dict.fromkeys(weights, 4.2),
        "data": {"events": 4_120, "events_skipped": {"bot": 3_600, "immediate repetition": 12}},
        "refreshed_from": 41,
        "quantization": {
            "cases": 640,
            "ndcg@10_before": 0.0712,
            "ndcg@10_after": 0.0709,
            "models": {
                "ease": {
                    "compressed": True,
                    "file_bytes_before": 8_000_000,
                    "file_bytes_after": 2_000_000,
                    "memory_bytes_before": 9_000_000,
                    "memory_bytes_after": 3_000_000,
                },
                "content": {
                    "compressed": False,
                    "file_bytes_before": 700_000,
                    "file_bytes_after": 700_000,
                    "memory_bytes_before": 800_000,
                    "memory_bytes_after": 800_000,
                },
            },
        },
        "tuning": {
            "models": {
                "ease": {
                    "trials": 21,
                    "held_out_ndcg": {"defaults": 0.0411, "best": 0.0433},
                    "settings": {"regularisation": 61.5},
                },
                "content": {"trials": 17, "held_out_ndcg": {"defaults": 0.031, "best": 0.03}, "settings": {}},
            },
        },
    }


def _slice(cases: int) -> dict[str, Any]:
    return {"popularity": {"candidate": 0.04, "baseline": 0.03, "low": 0.002, "high": 0.02, "cases": cases}}


def finish_jobs(workspace: Workspace, state: str, **result: Any) -> None:
    """Finishes all jobs like a worker; `result` has their reason and outcome."""
    with scope(workspace.ref, actor=ACTOR) as s:
        s.cursor().execute(
            "UPDATE data_job SET state = %s, percent = 100, started_at = now() - interval '92 seconds',"
            " finished_at = now(), reason = %s, outcome = %s::jsonb WHERE tenant_id = %s",
            (state, result.get("reason", ""), json.dumps(result.get("outcome", {})), workspace.ref.id),
        )


def session_of(user: User) -> str:
    """Returns the session cookie of the signed-in user."""
    value: str = browser(user).cookies["sessionid"].value
    return value
