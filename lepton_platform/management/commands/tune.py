"""Trains a tenant's model after a hyper-parameter search; later trainings keep the settings that it finds."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from lepton_platform.tasks.tenants import get_view_by_slug, get_worker_name
from lepton_platform.tasks.tuning_limits import limit_tuning_parameters
from recommender.benchmarks.commands.tune import format_tuning_table
from recommender.registry import queries
from recommender.training.job_runner import run_training_job
from recommender.types import DataError
from tenants.data.actions import jobs as actions
from tenants.data.queries import jobs
from tenants.errors import DomainError
from tenants.scope import Actor, scope

ACTOR = Actor("system", "tune")


class Command(BaseCommand):
    help = "Tunes the models of a tenant on validation events and trains it. For files: python -m recommender.benchmarks tune."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--tenant", required=True, help="slug of the tenant; its plan bounds the search")
        parser.add_argument("--profile", choices=["fast", "full"], default="full")
        parser.add_argument("--seconds", type=float, help="time budget of all models together")
        parser.add_argument("--trials", type=int, help="trials of each model in each of its two stages")

    def handle(self, **options: Any) -> None:
        """Prints the result of the search and the version. Raises CommandError if the training does not succeed."""
        try:
            self._tune_tenant(options)
        except (DataError, DomainError) as error:
            raise CommandError(getattr(error, "detail", "") or str(error)) from error

    def _tune_tenant(self, options: dict[str, Any]) -> None:
        view = get_view_by_slug(options["tenant"], reason="tune command")
        tenant = view.ref
        tuning = limit_tuning_parameters(view.plan, seconds=options["seconds"], trials=options["trials"])
        with scope(tenant, actor=ACTOR) as s:
            job = actions.request_job(s, "train", parameters={"profile": options["profile"], **tuning})
        run_training_job(tenant, job.id, owner=get_worker_name(), actor=ACTOR)
        with scope(tenant, actor=ACTOR) as s:
            job = jobs.get_job(s, job.id)
            version = queries.find_version_of_job(s, job.id)
        if job.state != "succeeded" or version is None:
            raise CommandError(f"The training is {job.state}. {job.reason}".strip())
        report = version.metrics.get("tuning")
        if report:
            self.stdout.write(format_tuning_table(report))
        self.stdout.write(f"{version.name} is {version.state}. {version.reason}".strip())
