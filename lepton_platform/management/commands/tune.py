"""Tunes hyper-parameters: for a data set in files, or for a tenant, whose next trainings use the result."""

from __future__ import annotations

import sys
from argparse import ArgumentParser, Namespace
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from lepton_platform.tasks.tenants import get_view_by_slug, get_worker_name
from lepton_platform.tasks.tuning_limits import limit_tuning_parameters
from recommender.benchmarks.cli_tuning import add_tuning_arguments, format_tuning_table, run_tuning
from recommender.registry import queries
from recommender.training.job_runner import run_training_job
from recommender.types import DataError
from tenants.data.actions import jobs as actions
from tenants.data.queries import jobs
from tenants.errors import DomainError
from tenants.scope import Actor, scope

ACTOR = Actor("system", "tune")


class Command(BaseCommand):
    help = "Tunes the models on validation events: for files (--data), or for a tenant in a training."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--tenant", help="a tenant's slug, instead of --data; the plan bounds the search")
        add_tuning_arguments(parser)

    def handle(self, *_args: Any, **options: Any) -> None:
        if (options["tenant"] is None) == (options["data"] is None):
            raise CommandError("Say either --data or --tenant.")
        try:
            if options["data"] is not None:
                run_tuning(Namespace(**options), out=self.stdout, progress=sys.stderr)
            else:
                self._tune_tenant(options)
        except (DataError, DomainError) as error:
            raise CommandError(getattr(error, "detail", "") or str(error)) from error

    def _tune_tenant(self, options: dict[str, Any]) -> None:
        view = get_view_by_slug(options["tenant"], reason="tune command")
        tenant = view.ref
        # The plan bounds time and trials.
        tuning = limit_tuning_parameters(view.plan, seconds=options["seconds"], trials=options["trials"])
        with scope(tenant, actor=ACTOR) as s:
            job = actions.request_job(s, "train", parameters={"profile": options["profile"], **tuning})
        run_training_job(tenant, job.id, owner=get_worker_name(), actor=ACTOR)
        with scope(tenant, actor=ACTOR) as s:
            job, version = jobs.get_job(s, job.id), queries.find_version_of_job(s, job.id)
        if job.state != "succeeded" or version is None:
            raise CommandError(f"The training is {job.state}. {job.reason}".strip())
        tuning_report = version.metrics.get("tuning")
        if tuning_report:
            self.stdout.write(format_tuning_table(tuning_report))
        self.stdout.write(f"{version.name} is {version.state}. {version.reason}".strip())
