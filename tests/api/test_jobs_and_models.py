from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import pytest

from lepton_platform.tasks.tuning_limits import limit_tuning_parameters
from recommender.evaluation.decisions.promotion_gate import DecisionReason
from recommender.registry.actions import publish_model
from recommender.registry.types import TrainedModel
from tenants.regions import TenantRef
from tenants.scope import Actor, scope


@pytest.fixture
def trained(tenant: TenantRef, actor: Actor) -> Callable[[], int]:
    """Publishes a version as a worker would and makes it the active one; its number."""

    def publish_next() -> int:
        trained_model = TrainedModel(
            uuid4(), uuid4(), "fast", {"files": {}, "bytes": 1}, {}, datetime.now(UTC), None
        )
        with scope(tenant, actor=actor) as s:
            from recommender.registry.queries import get_active_number

            return publish_model(s, trained_model, expected=get_active_number(s)).version

    return publish_next


def test_training_is_a_job_that_can_be_watched(owner: Any) -> None:
    queued = owner.post("/api/v1/models/train", {"profile": "fast"})
    assert (queued.status_code, queued.json()["state"], queued.json()["percent"]) == (202, "queued", 0)
    assert owner.get(f"/api/v1/jobs/{queued.json()['id']}").json() == queued.json()


def test_training_needs_no_body(owner: Any) -> None:
    answer = owner.post("/api/v1/models/train", b"")
    assert (answer.status_code, answer.json()["parameters"]) == (202, {"profile": "full"})


def test_a_training_that_tunes_keeps_to_the_plan(owner: Any) -> None:
    job = owner.post("/api/v1/models/train", {"profile": "fast", "tune": True}).json()
    assert job["parameters"] == {"profile": "fast", **limit_tuning_parameters("growth")}


def test_one_training_at_a_time(owner: Any) -> None:
    earlier, later = (owner.post("/api/v1/models/train").json()["id"] for _ in range(2))
    assert earlier == later


def test_a_queued_job_is_cancelled_once(owner: Any) -> None:
    job = owner.post("/api/v1/models/train").json()["id"]
    assert owner.post(f"/api/v1/jobs/{job}/cancel").json()["state"] == "cancelled"
    assert owner.post(f"/api/v1/jobs/{job}/cancel").status_code == 409


def test_jobs_are_listed_newest_first_in_pages(owner: Any) -> None:
    jobs = []
    for _ in range(3):
        jobs.append(owner.post("/api/v1/models/train").json()["id"])
        owner.post(f"/api/v1/jobs/{jobs[-1]}/cancel")
    earlier = owner.get("/api/v1/jobs", {"limit": "2"}).json()
    next_page = owner.get("/api/v1/jobs", {"cursor": earlier["next_cursor"]}).json()
    assert [job["id"] for job in earlier["data"] + next_page["data"]] == jobs[::-1]


@pytest.mark.parametrize("job", ["none", "00000000-0000-7000-8000-000000000000", "..%2f", "1"])
def test_an_absent_job_is_404(owner: Any, job: str) -> None:
    assert owner.get(f"/api/v1/jobs/{job}").status_code == 404


def test_a_version_is_promoted_and_rolled_back(owner: Any, trained: Callable[[], int]) -> None:
    earlier, later = trained(), trained()
    assert owner.post("/api/v1/models/rollback").json()["version"] == earlier
    promoted = owner.post(f"/api/v1/models/{later}/promote")
    assert (promoted.status_code, promoted.json()["state"]) == (200, "active")
    states = {model["version"]: model["state"] for model in owner.get("/api/v1/models").json()["data"]}
    assert states == {earlier: "retired", later: "active"}


def test_a_version_is_read(owner: Any, trained: Callable[[], int]) -> None:
    number = trained()
    assert owner.get(f"/api/v1/models/{number}").json() == owner.get(f"/api/v1/models/v{number}").json()


def test_reasons_are_codes_with_figures_and_a_sentence_in_each_language(
    owner: Any, tenant: TenantRef, actor: Actor
) -> None:
    why = DecisionReason("not_better", {"k": 10, "candidate": 0.03, "baseline": 0.04})
    trained_model = TrainedModel(
        uuid4(), uuid4(), "fast", {}, {}, datetime.now(UTC), None, refused=True, reasons=(why,)
    )
    with scope(tenant, actor=actor) as s:
        publish_model(s, trained_model, expected=None)
    model = owner.get("/api/v1/models/1").json()
    english = "Not significantly better than popularity: nDCG@10 0.0300 against 0.0400."
    chinese = "未显著优于热门基线：nDCG@10 为 0.0300，对方为 0.0400。"
    assert model["reason"] == english
    assert model["reasons"] == [
        {
            "code": "not_better",
            "parameters": {"k": 10, "candidate": 0.03, "baseline": 0.04},
            "text": {"en": english, "zh-hans": chinese},
        }
    ]


@pytest.mark.parametrize("version", ["9", "none", "-1", "v", "99999999999999999999"])
def test_an_absent_version_is_404(owner: Any, version: str) -> None:
    assert owner.get(f"/api/v1/models/{version}").status_code == 404
    assert owner.post(f"/api/v1/models/{version}/promote").status_code == 404


def test_nothing_to_roll_back_to_is_404(owner: Any) -> None:
    assert owner.post("/api/v1/models/rollback").status_code == 404


def test_a_reader_may_not_train(reader: Any) -> None:
    assert reader.post("/api/v1/models/train").status_code == 403


def test_a_stranger_gets_404(owner: Any, stranger: Any, trained: Callable[[], int]) -> None:
    job = owner.post("/api/v1/models/train").json()["id"]
    assert stranger.get(f"/api/v1/jobs/{job}").status_code == 404
    assert stranger.post(f"/api/v1/jobs/{job}/cancel").status_code == 404
    assert stranger.get(f"/api/v1/models/{trained()}").status_code == 404
