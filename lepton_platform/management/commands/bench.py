"""Benchmarks of this machine; rates are measured beside a baseline in the same run."""

from __future__ import annotations

import json
import time
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from lepton_platform.bench import cost, growth, measure
from lepton_platform.bench.load import LoadFailed
from lepton_platform.bench.measure import BenchMetrics, MessageCallback
from lepton_platform.bench.platform import BenchPlatform, start_platform
from lepton_platform.embedded.errors import ServiceError

RATE_BENCHMARKS = {
    "ingest": measure.measure_ingest,
    "recommend": measure.measure_recommend,
    "scan": measure.measure_scan,
}


class Command(BaseCommand):
    help = (
        "Starts a temporary platform, loads it, and prints rates (ingest, recommend, scan) or storage (growth); "
        "or time and memory of the models as data grows (cost), without a platform."
    )
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("benchmark", choices=[*sorted(RATE_BENCHMARKS), "growth", "cost"])
        parser.add_argument("--events", type=int, help="for growth: how many; for cost: the smallest number")
        parser.add_argument("--json", type=Path, help="where the metrics go, as flat JSON")
        # argparse has no arguments that depend on a positional one; their help names the benchmark.
        cost.add_arguments(parser)

    def handle(self, **options: Any) -> None:
        """Runs one benchmark; metrics go to stdout and --json, messages to stderr. Raises CommandError."""
        started_at = time.monotonic()

        def report_line(line: str) -> None:
            self.stderr.write(f"[{time.monotonic() - started_at:6.1f} s] {line}")

        try:
            metrics = _run_benchmark(options, report_line)
        except (LoadFailed, ServiceError, RuntimeError) as error:
            raise CommandError(str(error)) from error
        if options["json"]:
            options["json"].write_text(json.dumps(metrics, indent=1) + "\n", encoding="utf-8")
        for name, value in metrics.items():
            self.stdout.write(f"{name:28} {value}")


def _run_benchmark(options: dict[str, Any], report: MessageCallback) -> BenchMetrics:
    if options["benchmark"] == "cost":
        return cost.measure_scaling(options, report)
    with start_platform(report) as bench:
        return _run_on_platform(options, bench, report)


def _run_on_platform(options: dict[str, Any], bench: BenchPlatform, report: MessageCallback) -> BenchMetrics:
    if options["benchmark"] == "growth":
        return growth.measure_growth(bench, report, events=options["events"] or growth.EVENTS)
    return RATE_BENCHMARKS[options["benchmark"]](bench, report)
