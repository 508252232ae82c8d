"""Evaluates through the API what `recommender.benchmarks evaluate` evaluates directly, and compares the results."""

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

ACTOR = Actor("system", "evaluate_api")


class Command(BaseCommand):
    help = "Fills a new tenant with all but each user's last item, trains it, requests recommendations for all users."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--data", type=Path, required=True, help="as for evaluate")
        parser.add_argument("--items", type=Path, help="as for evaluate: .csv or .parquet")
        parser.add_argument("--profile", choices=["fast", "full"], default="full")
        parser.add_argument("--k", type=int, default=10)
        parser.add_argument("--evaluate-json", type=Path, help="what evaluate --json wrote, to compare with")
        parser.add_argument("--json", type=Path, help="where to write the figures")

    def handle(self, **options: Any) -> None:
        """Prints the metrics beside those of --evaluate-json. Raises CommandError."""
        try:
            with ensure_server() as url:
                client = BenchClient(url, self._open_tenant())
                result = evaluate_api(
                    client,
                    options["data"],
                    options["items"],
                    profile=options["profile"],
                    k=options["k"],
                    on_progress=self._print_progress,
                )
                # A server that is stopped next would wait for the open connection.
                client.close()
        except (CallFailed, DataError, DomainError, RuntimeError) as error:
            raise CommandError(str(error)) from error
        self._print_result(result, options)

    def _open_tenant(self) -> str:
        """Opens a new tenant, so that no earlier data is in it; returns its API key."""
        region = list_served()[0]
        slug = f"evaluation-{secrets.token_hex(4)}"
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
            return create_api_key(s, name="evaluate_api", scopes=API_SCOPES).secret

    def _print_progress(self, phase: str, fraction: float) -> None:
        """Prints a line for each full percent."""
        line = f"{phase}: {fraction:.0%}"
        if line != self.previous_line:
            self.previous_line = line
            self.stderr.write(line)

    previous_line = ""

    def _print_result(self, result: ApiEvaluationResult, options: dict[str, Any]) -> None:
        k = options["k"]
        metrics: dict[str, Any] = {"platform": result.to_json()}
        lines = [f"{'':10} {f'nDCG@{k}':>10} {f'recall@{k}':>10}"]
        lines.append(f"{'platform':10} {result.ndcg:10.4f} {result.recall:10.4f}")
        if options["evaluate_json"]:
            blend = json.loads(options["evaluate_json"].read_text())["blend"]["test"]
            ndcg, recall = blend[f"ndcg@{k}"], blend[f"recall@{k}"]
            lines.append(f"{'evaluate':10} {ndcg:10.4f} {recall:10.4f}")
            lines.append(f"{'ratio':10} {result.ndcg / ndcg:10.3f} {result.recall / recall:10.3f}")
            metrics["ratio"] = {"ndcg": result.ndcg / ndcg, "recall": result.recall / recall}
        self.stdout.write("\n".join(lines))
        self.stdout.write(f"{result.users} users; stages {result.stages}; seconds {result.seconds}")
        if options["json"]:
            options["json"].write_text(json.dumps(metrics, indent=2, sort_keys=True) + "\n")
