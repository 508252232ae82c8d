"""Stores the items of an uploaded file in batches, each in its own transaction."""

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
    """The counts of stored items, and the rejected rows in the order of the file."""

    created: int = 0
    updated: int = 0
    unchanged: int = 0
    rejected: list[RejectedUploadRow] = field(default_factory=list)

    @property
    def accepted(self) -> int:
        return self.created + self.updated + self.unchanged


def import_items(workspace: WorkspaceContext, parsed: ParsedUpload) -> CatalogueImportResult:
    """Stores the parsed items. Batches before a failing one stay stored; importing the file again is harmless."""
    result = CatalogueImportResult(rejected=list(parsed.rejected))
    for start in range(0, len(parsed.items), catalog.MAX_ITEMS):
        _import_batch(workspace, parsed, start, result)
    result.rejected.sort(key=lambda row: row.number)
    return result


def _import_batch(
    workspace: WorkspaceContext, parsed: ParsedUpload, start: int, result: CatalogueImportResult
) -> None:
    with scope(workspace.tenant_ref, actor=workspace.actor) as s:
        upserted = catalog.upsert_items(s, parsed.items[start : start + catalog.MAX_ITEMS])
    result.created += upserted.created
    result.updated += upserted.updated
    result.unchanged += upserted.unchanged
    for error in upserted.rejected:
        # error.row counts within the batch.
        index = start + error.row
        reason = translate_field_error(FieldError(error.pointer, error.code, error.detail))
        result.rejected.append(
            RejectedUploadRow(number=parsed.row_numbers[index], reason=reason, row=parsed.raw_rows[index])
        )
