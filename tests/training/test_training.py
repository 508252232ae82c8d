"""A training ends in a served version, or in a reason."""

from __future__ import annotations

from collections.abc import Callable
from uuid import UUID

from recommender.registry import queries
from recommender.training.work import work
from tenants.data.queries import jobs
from tenants.regions import TenantRef
from tenants.scope import Actor, scope

Order = Callable[[TenantRef], UUID]


def test_what_can_be_learned_is_published_and_served(walkers: TenantRef, actor: Actor, order: Order) -> None:
    job_id = order(walkers)
    work(walkers, job_id, owner="w1", actor=actor)
    with scope(walkers, actor=actor) as s:
        job, active = jobs.job(s, job_id), queries.active(s)
    assert (job.state, job.reason, job.percent) == ("succeeded", "", 100)
    assert active is not None
    assert active.version == 1
    assert active.metrics["served"]["ndcg@10"] > active.metrics["popularity"]["ndcg@10"]
