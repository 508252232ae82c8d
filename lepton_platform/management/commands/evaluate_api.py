"""The platform against its own `evaluate`: same data, through the API."""

from __future__ import annotations

import json
import secrets
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from lepton_platform.bench.api_evaluation import ApiEvaluationResult, evaluate_api
from lepton_platform.bench.client import BenchClient, CallFailed
from lepton_platform.bench.server import ensure_server
from recommender.types import DataError
from tenants.control.actions import create_api_key
from tenants.control.api_scopes import API_SCOPES
from tenants.control.region_defaults import get_region_defaults
from tenants.errors import DomainError
from tenants.privacy.onboarding import open_tenant
from tenants.regions import list_served
from tenants.scope import Actor, control_scope

ACTOR = Actor("system", "rehearse")


class Command(BaseCommand):
    help = "Feeds a new tenant with all but each user's last item, trains it, asks for all users, counts."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--data", type=Path, required=True, help="as for evaluate")
        parser.add_argument("--items", type=Path, help="as for evaluate: .csv or .parquet")
        parser.add_argument("--profile", choices=["fast", "full"], default="full")
        parser.add_argument("--k", type=int, default=10)
        parser.add_argument("--evaluate-json", type=Path, help="what evaluate --json wrote, to compare with")
        parser.add_argument("--json", type=Path, help="where to write the figures")

    def handle(self, **options: Any) -> None:
        try:
            with ensure_server() as url:
                client = BenchClient(url, self._open_tenant())
                outcome = evaluate_api(
                    client,
                    options["data"],
                    options["items"],
                    profile=options["profile"],
                    k=options["k"],
                    on_progress=self._print_progress,
                )
                client.close()
        except (CallFailed, DataError, DomainError, RuntimeError) as error:
            raise CommandError(str(error)) from error
        self._print_outcome(outcome, options)

    def _open_tenant(self) -> str:
        """A tenant of its own for each rehearsal; returns its API key."""
        region, slug = list_served()[0], f"rehearsal-{secrets.token_hex(4)}"
        defaults = get_region_defaults(region)
        opened = open_tenant(
            name=slug,
            slug=slug,
            vertical="ecommerce",
            region=region,
            language=defaults.language,
            currency=defaults.currency,
            time_zone=defaults.time_zone,
            plan="enterprise",
            owner=None,
            actor=ACTOR,
        )
        with control_scope(opened.id, actor=ACTOR) as s:
            return create_api_key(s, name="rehearsal", scopes=API_SCOPES).secret

    def _print_progress(self, phase: str, fraction: float) -> None:
        line = f"{phase}: {fraction:.0%}"
        if line != getattr(self, "_last", ""):
            self._last = line
            self.stderr.write(line)

    def _print_outcome(self, outcome: ApiEvaluationResult, options: dict[str, Any]) -> None:
        k, figures = options["k"], {"platform": outcome.to_json()}
        lines = [f"{'':10} {f'nDCG@{k}':>10} {f'recall@{k}':>10}"]
        lines.append(f"{'platform':10} {outcome.ndcg:10.4f} {outcome.recall:10.4f}")
        if options["evaluate_json"]:
            blend = json.loads(options["evaluate_json"].read_text())["blend"]["test"]
            ndcg, recall = blend[f"ndcg@{k}"], blend[f"recall@{k}"]
            lines.append(f"{'evaluate':10} {ndcg:10.4f} {recall:10.4f}")
            lines.append(f"{'ratio':10} {outcome.ndcg / ndcg:10.3f} {outcome.recall / recall:10.3f}")
            figures["ratio"] = {"ndcg": outcome.ndcg / ndcg, "recall": outcome.recall / recall}
        self.stdout.write("\n".join(lines))
        self.stdout.write(f"{outcome.users} users; stages {outcome.stages}; seconds {outcome.seconds}")
        if options["json"]:
            options["json"].write_text(json.dumps(figures, indent=2, sort_keys=True) + "\n")
