"""What the two import commands share: arguments, progress, the file of rejected rows, the closing lines."""

from __future__ import annotations

from argparse import ArgumentParser
from collections.abc import Callable
from pathlib import Path
from typing import Any, TextIO

from django.core.management.base import BaseCommand, CommandError
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from lepton_platform.imports.loading import Outcome, Rejected
from tenants.control.queries import tenant_directory
from tenants.errors import DomainError
from tenants.regions import TenantRef
from tenants.scope import Actor, control_ops

ACTOR = Actor("system", "import")
Load = Callable[[TenantRef, Path, Callable[[Rejected], None], Callable[[int], None]], Outcome]


def add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("file", type=Path, help="CSV, TSV, JSONL or Parquet")
    parser.add_argument("--tenant", required=True, help="the tenant's address name")
    parser.add_argument("--rejected", type=Path, help="where rejected rows go (default: FILE.rejected.jsonl)")


def run(command: BaseCommand, options: dict[str, Any], load: Load) -> None:
    """Raises CommandError with one sentence."""
    path: Path = options["file"]
    if not path.is_file():
        raise CommandError(f"There is no file {path}.")
    target = options["rejected"] or path.with_name(path.name + ".rejected.jsonl")
    try:
        outcome = _load(tenant_ref(options["tenant"]), path, target, load)
    except DomainError as error:
        raise CommandError(error.detail) from error
    done = ", ".join(f"{count} {name}" for name, count in outcome.counts.items()) or "nothing to do"
    command.stdout.write(f"{outcome.read} rows read: {done}, {outcome.rejected} rejected.")
    if outcome.rejected:
        command.stdout.write(f"Rejected rows with reasons: {target}")


def tenant_ref(slug: str) -> TenantRef:
    """Raises CommandError for an unknown one."""
    with control_ops("import", actor=ACTOR, reason="a command names a tenant") as s:
        found = [tenant.ref for tenant in tenant_directory(s) if tenant.slug == slug]
    if not found:
        raise CommandError(f"There is no tenant {slug!r}.")
    return found[0]


def _load(tenant: TenantRef, path: Path, target: Path, load: Load) -> Outcome:
    rejects = _Rejects(target)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns) as progress:
        task = progress.add_task(path.name, total=None)

        def report(read: int) -> None:
            progress.update(task, completed=read)

        try:
            return load(tenant, path, rejects.write, report)
        finally:
            rejects.close()


class _Rejects:
    """The file appears with its first row, readable by its owner only: it holds a client's data."""

    def __init__(self, target: Path) -> None:
        self.target = target
        self.stream: TextIO | None = None

    def write(self, rejected: Rejected) -> None:
        if self.stream is None:
            self.target.touch(mode=0o600)
            self.stream = self.target.open("w", encoding="utf-8")
        self.stream.write(rejected.as_json() + "\n")

    def close(self) -> None:
        if self.stream is not None:
            self.stream.close()
