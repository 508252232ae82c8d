"""Trains a tenant's model in this process."""

from __future__ import annotations

from argparse import ArgumentParser
from collections.abc import Mapping
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from lepton_platform.tasks.tenants import get_view_by_slug, get_worker_name
from lepton_platform.tasks.tuning_limits import limit_tuning_parameters
from recommender.registry import queries
from recommender.training.job_runner import run_training_job
from tenants.data.actions import jobs as actions
from tenants.data.queries import jobs
from tenants.errors import DomainError
from tenants.scope import Actor, scope

ACTOR = Actor("system", "train")


class Command(BaseCommand):
    help = "Trains a tenant's model in this process; job, promotion gate and publishing are the same as in a worker."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--tenant", required=True, help="the tenant's slug")
        parser.add_argument("--profile", choices=["fast", "full"], default="fast")
        parser.add_argument(
            "--refresh", action="store_true", help="start from the weights of the active model"
        )
        parser.add_argument(
            "--tune", action="store_true", help="first search for better hyper-parameters; see also tune"
        )

    def handle(self, **options: Any) -> None:
        """Prints the version, its state and its metrics. Raises CommandError if the training does not succeed."""
        try:
            view = get_view_by_slug(options["tenant"], reason="train command")
            tenant = view.ref
            parameters = {"profile": options["profile"], "refresh": options["refresh"]}
            if options["tune"]:
                parameters |= limit_tuning_parameters(view.plan)
            with scope(tenant, actor=ACTOR) as s:
                job = actions.request_job(s, "train", parameters=parameters)
            run_training_job(tenant, job.id, owner=get_worker_name(), actor=ACTOR)
            with scope(tenant, actor=ACTOR) as s:
                job, version = jobs.get_job(s, job.id), queries.find_version_of_job(s, job.id)
        except DomainError as error:
            raise CommandError(error.detail) from error
        if job.state != "succeeded" or version is None:
            raise CommandError(f"The training is {job.state}. {job.reason}".strip())
        self.stdout.write(f"{version.name} is {version.state}. {version.reason}".strip())
        self._print_metrics(version.metrics)

    def _print_metrics(self, version_metrics: Mapping[str, Any]) -> None:
        # A missing entry means that it was not evaluated, e.g. there was no active model.
        for name in ("candidate", "popularity", "live"):
            metrics = version_metrics.get(name)
            if metrics:
                self.stdout.write(
                    f"{name:12} nDCG@10 {metrics['ndcg@10']:.4f}  recall@10 {metrics['recall@10']:.4f}"
                )
