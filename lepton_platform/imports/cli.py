"""What the two import commands share: arguments, progress, the file of rejected rows, the closing lines."""

from __future__ import annotations

from argparse import ArgumentParser
from collections.abc import Callable
from pathlib import Path
from typing import Any, TextIO

from django.core.management.base import BaseCommand, CommandError
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from lepton_platform.imports.loading import ImportResult, RejectedRow
from tenants.control.queries import list_tenants
from tenants.errors import DomainError
from tenants.regions import TenantRef
from tenants.scope import Actor, control_ops

ACTOR = Actor("system", "import")
FileLoader = Callable[[TenantRef, Path, Callable[[RejectedRow], None], Callable[[int], None]], ImportResult]


def add_import_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("file", type=Path, help="CSV, TSV, JSONL or Parquet")
    parser.add_argument("--tenant", required=True, help="the tenant's address name")
    parser.add_argument("--rejected", type=Path, help="where rejected rows go (default: FILE.rejected.jsonl)")


def run_import(command: BaseCommand, options: dict[str, Any], load_file: FileLoader) -> None:
    """Raises CommandError with one sentence."""
    path: Path = options["file"]
    if not path.is_file():
        raise CommandError(f"There is no file {path}.")
    target = options["rejected"] or path.with_name(path.name + ".rejected.jsonl")
    try:
        outcome = _load_with_progress(find_tenant(options["tenant"]), path, target, load_file)
    except DomainError as error:
        raise CommandError(error.detail) from error
    done = ", ".join(f"{count} {name}" for name, count in outcome.counts.items()) or "nothing to do"
    command.stdout.write(f"{outcome.n_read} rows read: {done}, {outcome.n_rejected} rejected.")
    if outcome.n_rejected:
        command.stdout.write(f"Rejected rows with reasons: {target}")


def find_tenant(slug: str) -> TenantRef:
    """Raises CommandError for an unknown one."""
    with control_ops("import", actor=ACTOR, reason="a command names a tenant") as s:
        found = [tenant.ref for tenant in list_tenants(s) if tenant.slug == slug]
    if not found:
        raise CommandError(f"There is no tenant {slug!r}.")
    return found[0]


def _load_with_progress(tenant: TenantRef, path: Path, target: Path, load_file: FileLoader) -> ImportResult:
    rejects = _RejectedRowFile(target)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns) as progress:
        task = progress.add_task(path.name, total=None)

        def report_progress(n_read: int) -> None:
            progress.update(task, completed=n_read)

        try:
            return load_file(tenant, path, rejects.write_row, report_progress)
        finally:
            rejects.close()


class _RejectedRowFile:
    """The file appears with its first row, readable by its owner only: it holds a client's data."""

    def __init__(self, target: Path) -> None:
        self.target = target
        self.stream: TextIO | None = None

    def write_row(self, rejected: RejectedRow) -> None:
        if self.stream is None:
            self.target.touch(mode=0o600)
            self.stream = self.target.open("w", encoding="utf-8")
        self.stream.write(rejected.as_json() + "\n")

    def close(self) -> None:
        if self.stream is not None:
            self.stream.close()
