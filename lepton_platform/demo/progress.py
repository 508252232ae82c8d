"""Progress of the load of one demo tenant, stored so that an interrupted load resumes.

The file is written after the batch's transaction: at worst one batch is sent twice, and its rows are recognised by
their ids.
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
    """Numbers of committed batches by table. Bound to a tenant id: with a new database the load starts again."""

    file: Path
    tenant_id: UUID
    loaded_at: datetime
    committed_batches: dict[str, int] = field(default_factory=dict)
    is_finished: bool = False

    @classmethod
    def from_directory(cls, directory: Path, slug: str, tenant_id: UUID) -> DemoLoadState:
        """Reads `<slug>.json`; an empty state if there is none or it belongs to another tenant id."""
        file = directory / f"{slug}.json"
        stored = read_json(file)
        if stored.get("tenant_id") != str(tenant_id):
            return cls(file, tenant_id, datetime.now(UTC).replace(microsecond=0))
        return cls(
            file=file,
            tenant_id=tenant_id,
            loaded_at=datetime.fromisoformat(stored["loaded_at"]),
            committed_batches=stored["batches"],
            is_finished=stored["finished"],
        )

    def record_batch(self, table: str) -> None:
        """Call after a batch of the table is committed."""
        self.committed_batches[table] = self.committed_batches.get(table, 0) + 1
        self._save_state()

    def mark_finished(self) -> None:
        """Call after all tables are loaded."""
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
