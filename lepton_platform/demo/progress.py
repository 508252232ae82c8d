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

from lepton_platform.embedded.home import read_json, write_private_json


@dataclass
class Progress:
    """`batches` counts those committed, by table. Bound to one tenant id: a new database starts anew."""

    file: Path
    tenant_id: UUID
    loaded_at: datetime
    batches: dict[str, int] = field(default_factory=dict)
    finished: bool = False

    @classmethod
    def of(cls, folder: Path, slug: str, tenant_id: UUID) -> Progress:
        file = folder / f"{slug}.json"
        kept = read_json(file)
        if kept.get("tenant_id") != str(tenant_id):
            return cls(file, tenant_id, datetime.now(UTC).replace(microsecond=0))
        return cls(
            file, tenant_id, datetime.fromisoformat(kept["loaded_at"]), kept["batches"], kept["finished"]
        )

    def committed(self, table: str) -> None:
        self.batches[table] = self.batches.get(table, 0) + 1
        self._save()

    def finish(self) -> None:
        self.finished = True
        self._save()

    def _save(self) -> None:
        self.file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        state: dict[str, Any] = {
            "tenant_id": str(self.tenant_id),
            "loaded_at": self.loaded_at.isoformat(),
            "batches": self.batches,
            "finished": self.finished,
        }
        write_private_json(self.file, state)
