"""The response to a batch: what was accepted, and the error of every rejected row."""

from __future__ import annotations

from typing import Any, Protocol, TypeVar

import msgspec

from lepton_platform.api.bodies import DecodedBatch
from tenants.data.types import RowError
from tenants.errors import FieldError, Invalid


class BatchResult(Protocol):
    """The result of an action on many rows."""

    rejected: list[RowError]


R = TypeVar("R", bound=BatchResult)


def finalize_batch(batch: DecodedBatch[Any], result: R, *, name: str) -> R:
    """Merges the errors of decoding into `result` and numbers all rows as in the request.

    Args:
        batch: The decoded rows, with their positions in the request and the rows that could not be decoded.
        result: The result of the action, whose row numbers count the decoded rows only. It is changed in place.
        name: The name of the list in the request.

    Returns:
        `result`.

    Raises:
        Invalid: Every row was rejected.
    """
    errors = [_replace_row_number(error, batch.row_numbers[error.row], name) for error in result.rejected]
    result.rejected = sorted([*errors, *batch.rejected], key=lambda error: error.row)
    # A row may have several errors, so rows are counted and not errors.
    rejected_rows = {error.row for error in result.rejected}
    if rejected_rows and len(rejected_rows) == len(batch):
        field_errors = [FieldError(e.pointer, e.code, e.detail) for e in result.rejected]
        raise Invalid(field_errors, "No row was accepted.")
    return result


def _replace_row_number(error: RowError, row: int, name: str) -> RowError:
    field_pointer = error.pointer.removeprefix(f"/{name}/{error.row}")
    return msgspec.structs.replace(error, row=row, pointer=f"/{name}/{row}{field_pointer}")
