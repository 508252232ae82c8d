"""Loads a parsed file in batches, each a transaction of its own; what was not taken is said."""

from __future__ import annotations

from dataclasses import dataclass, field

from lepton_platform.portal.access import WorkspaceContext
from lepton_platform.portal.messages import translate_field_error
from lepton_platform.portal.uploads.parsing import ParsedUpload, RejectedUploadRow
from tenants.data.actions import catalog
from tenants.errors import FieldError
from tenants.scope import scope


@dataclass(slots=True)
class CatalogueImportResult:
    created: int = 0
    updated: int = 0
    unchanged: int = 0
    rejected: list[RejectedUploadRow] = field(default_factory=list)

    @property
    def accepted(self) -> int:
        return self.created + self.updated + self.unchanged


def import_items(workspace: WorkspaceContext, parsed: ParsedUpload) -> CatalogueImportResult:
    outcome = CatalogueImportResult(rejected=list(parsed.rejected))
    for start in range(0, len(parsed.items), catalog.MAX_ITEMS):
        _import_batch(workspace, parsed, start, outcome)
    outcome.rejected.sort(key=lambda one: one.number)
    return outcome


def _import_batch(
    workspace: WorkspaceContext, parsed: ParsedUpload, start: int, outcome: CatalogueImportResult
) -> None:
    with scope(workspace.tenant_ref, actor=workspace.actor) as s:
        result = catalog.upsert_items(s, parsed.items[start : start + catalog.MAX_ITEMS])
    outcome.created += result.created
    outcome.updated += result.updated
    outcome.unchanged += result.unchanged
    for error in result.rejected:
        at = start + error.row
        reason = translate_field_error(FieldError(error.pointer, error.code, error.detail))
        outcome.rejected.append(RejectedUploadRow(parsed.row_numbers[at], reason, parsed.raw_rows[at]))
