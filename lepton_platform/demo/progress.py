"""How far the load of one demo tenant came, so that a killed load goes on where it stopped.

The file is written after the batch's transaction has ended: at worst one batch is sent twice, which the
tenant's space recognises.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

from lepton_platform.embedded.instance_directory import read_json, write_private_json


@dataclass
class DemoLoadState:
    """`batches` counts those committed, by table. Bound to one tenant id: a new database starts anew."""

    file: Path
    tenant_id: UUID
    loaded_at: datetime
    committed_batches: dict[str, int] = field(default_factory=dict)
    is_finished: bool = False

    @classmethod
    def from_directory(cls, directory: Path, slug: str, tenant_id: UUID) -> DemoLoadState:
        file = directory / f"{slug}.json"
        kept = read_json(file)
        if kept.get("tenant_id") != str(tenant_id):
            return cls(file, tenant_id, datetime.now(UTC).replace(microsecond=0))
        return cls(
            file, tenant_id, datetime.fromisoformat(kept["loaded_at"]), kept["batches"], kept["finished"]
        )

    def record_batch(self, table: str) -> None:
        self.committed_batches[table] = self.committed_batches.get(table, 0) + 1
        self._save_state()

    def mark_finished(self) -> None:
        self.is_finished = True
        self._save_state()

    def _save_state(self) -> None:
        self.file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        state: dict[str, Any] = {
            "tenant_id": str(self.tenant_id),
            "loaded_at": self.loaded_at.isoformat(),
            "batches": self.committed_batches,
            "finished": self.is_finished,
        }
        write_private_json(self.file, state)
