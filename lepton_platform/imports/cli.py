"""Shared by the import commands: arguments, progress bar, the file of rejected rows and the summary."""

from __future__ import annotations

from argparse import ArgumentParser
from pathlib import Path
from typing import Any, TextIO, TypeVar

from django.core.management.base import BaseCommand, CommandError
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from lepton_platform.imports.loading import ImportFormat, ImportResult, RejectedRow, load_file
from lepton_platform.tasks.tenants import get_tenant_by_slug
from tenants.errors import DomainError
from tenants.regions import TenantRef
from tenants.scope import Actor

ACTOR = Actor("system", "import")
T = TypeVar("T")


def add_import_arguments(parser: ArgumentParser) -> None:
    """Adds the arguments of `run_import`: file, --tenant and --rejected."""
    parser.add_argument("file", type=Path, help="CSV, TSV, JSONL or Parquet")
    parser.add_argument("--tenant", required=True, help="the tenant's slug")
    parser.add_argument("--rejected", type=Path, help="where rejected rows go (default: FILE.rejected.jsonl)")


def run_import(command: BaseCommand, options: dict[str, Any], import_format: ImportFormat[T]) -> None:
    """Imports `options["file"]` and prints a summary.

    Raises:
        CommandError: no such file or tenant, or the file can't be read; one sentence.
    """
    path: Path = options["file"]
    if not path.is_file():
        raise CommandError(f"There is no file {path}.")
    rejected_path = options["rejected"] or path.with_name(path.name + ".rejected.jsonl")
    try:
        tenant = get_tenant_by_slug(options["tenant"], reason="a command names a tenant")
        result = _load_with_progress(tenant, path, rejected_path, import_format)
    except DomainError as error:
        raise CommandError(error.detail) from error
    counts = ", ".join(f"{count} {outcome}" for outcome, count in result.counts.items()) or "nothing to do"
    command.stdout.write(f"{result.n_read} rows read: {counts}, {result.n_rejected} rejected.")
    if result.n_rejected:
        command.stdout.write(f"Rejected rows with reasons: {rejected_path}")


def _load_with_progress(
    tenant: TenantRef,
    path: Path,
    rejected_path: Path,
    import_format: ImportFormat[T],
) -> ImportResult:
    rejected_rows = _RejectedRowFile(rejected_path)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns) as progress:
        # The number of rows is unknown until the file is read.
        task = progress.add_task(path.name, total=None)

        def update_progress(n_read: int) -> None:
            progress.update(task, completed=n_read)

        try:
            return load_file(
                tenant,
                path,
                import_format,
                actor=ACTOR,
                on_rejected=rejected_rows.write_row,
                on_progress=update_progress,
            )
        finally:
            rejected_rows.close()


class _RejectedRowFile:
    """A JSON lines file created with its first row. Mode 0600, because it holds a client's data."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.stream: TextIO | None = None

    def write_row(self, rejected: RejectedRow) -> None:
        if self.stream is None:
            # touch first: open() would create the file with the umask's permissions.
            self.path.touch(mode=0o600)
            self.stream = self.path.open("w", encoding="utf-8")
        self.stream.write(rejected.to_json() + "\n")

    def close(self) -> None:
        if self.stream is not None:
            self.stream.close()
