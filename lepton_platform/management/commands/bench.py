"""Measures this machine; each figure beside a baseline of the same run."""

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

BENCHMARKS = {
    "ingest": measure.measure_ingest,
    "recommend": measure.measure_recommend,
    "train": measure.measure_scan,
}


class Command(BaseCommand):
    help = (
        "Starts a platform of its own, loads it, and prints rates (ingest, recommend, train) or storage (growth); "
        "or what members cost as data grows (cost), without any platform."
    )
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("what", choices=[*sorted(BENCHMARKS), "growth", "cost"])
        parser.add_argument("--events", type=int, help="how many for growth, and the fewest for cost")
        parser.add_argument("--json", type=Path, help="where the figures go, as flat JSON")
        cost.add_arguments(parser)

    def handle(self, **options: Any) -> None:
        began = time.monotonic()

        def report_line(line: str) -> None:
            self.stderr.write(f"[{time.monotonic() - began:6.1f} s] {line}")

        try:
            if options["what"] == "cost":
                figures = cost.measure_scaling(options, report_line)
            else:
                with start_platform(report_line) as bench:
                    figures = _run_benchmark(options, bench, report_line)
        except (LoadFailed, ServiceError, RuntimeError) as error:
            raise CommandError(str(error)) from error
        if options["json"]:
            options["json"].write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")
        for name, value in figures.items():
            self.stdout.write(f"{name:28} {value}")


def _run_benchmark(options: dict[str, Any], bench: BenchPlatform, report: MessageCallback) -> BenchMetrics:
    if options["what"] == "growth":
        return growth.measure_growth(bench, report, events=options["events"] or growth.EVENTS)
    return BENCHMARKS[options["what"]](bench, report)
