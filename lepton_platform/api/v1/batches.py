"""The answer to a batch: what was taken, and for every other row of the caller's list, why not."""

from __future__ import annotations

from typing import Any, Protocol, TypeVar

import msgspec

from lepton_platform.api.bodies import DecodedBatch
from tenants.data.types import RowError
from tenants.errors import FieldError, Invalid


class BatchResult(Protocol):
    rejected: list[RowError]


R = TypeVar("R", bound=BatchResult)


def finalize_batch(batch: DecodedBatch[Any], result: R, *, name: str) -> R:
    """`result` with rows numbered as the caller did. Raises Invalid when no row at all was taken."""
    mine = [_replace_row_number(error, batch.row_numbers[error.row], name) for error in result.rejected]
    result.rejected = sorted([*mine, *batch.rejected], key=lambda error: error.row)
    if result.rejected and len({error.row for error in result.rejected}) == len(batch):
        raise Invalid([FieldError(e.pointer, e.code, e.detail) for e in result.rejected], "No row was taken.")
    return result


def _replace_row_number(error: RowError, row: int, name: str) -> RowError:
    rest = error.pointer.removeprefix(f"/{name}/{error.row}")
    return msgspec.structs.replace(error, row=row, pointer=f"/{name}/{row}{rest}")
