"""Valid events of one ingest call, turned into the rows that are inserted: sealed chunks and counter deltas."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime

import numpy as np

from tenants.common.time_units import DAY_MS
from tenants.data.actions.chunks import ChunkRows
from tenants.data.actions.counters import CounterRows
from tenants.data.queries.timeline import get_timeline_cipher
from tenants.data.records import CHUNK_EVENTS, RECORD_DTYPE, Records, encode_chunk_row_id
from tenants.data.types import RowError
from tenants.scope import Scope

_DAY_SECONDS = 86_400
IndexArray = np.ndarray[tuple[int], np.dtype[np.int64]]


@dataclass
class PreparedEvents:
    """Valid records in the order received, and what was not accepted.

    Attributes:
        keys: The distinct profile keys of the batch.
        records: Shape (events,).
        profile_index: For each record the index of its profile in `keys`, shape (events,).
        kind_names: Number -> name of the event kinds.
        scenarios: For each record its scenario, or "".
        attributed: For each record whether it names a recommendation.
        rejected: Rows that were not accepted.
        duplicates: Number of rows that were stored before or repeat another one.
    """

    keys: list[bytes]
    records: Records
    profile_index: IndexArray
    kind_names: dict[int, str]
    scenarios: list[str]
    attributed: list[bool]
    rejected: list[RowError] = field(default_factory=list)
    duplicates: int = 0

    @property
    def count(self) -> int:
        """Number of records."""
        return int(self.records.size)

    def seal_chunks(self, s: Scope, seq: int) -> ChunkRows:
        """Seals (encrypts) the records in one or two chunks per profile, numbered from `seq`."""
        order = np.lexsort((self.records["at"], self.profile_index))
        records, profile_index = self.records[order], self.profile_index[order]
        # Chunk i consists of the records starts[i]:ends[i].
        starts = _find_chunk_starts(profile_index)
        ends = np.append(starts[1:], profile_index.size)
        profile_keys = [self.keys[index] for index in profile_index[starts].tolist()]
        seqs = list(range(seq, seq + len(profile_keys)))
        # Slices of one byte string are cheaper than a tobytes() per chunk.
        body, width = records.tobytes(), RECORD_DTYPE.itemsize
        plaintexts = []
        for start, end in zip(starts.tolist(), ends.tolist(), strict=True):
            plaintexts.append(body[start * width : end * width])
        row_ids = [encode_chunk_row_id(key, number) for key, number in zip(profile_keys, seqs, strict=True)]
        at_ms = records["at"]
        return ChunkRows(
            profile_keys=profile_keys,
            seqs=seqs,
            first_ms=at_ms[starts].tolist(),
            last_ms=at_ms[ends - 1].tolist(),
            counts=(ends - starts).tolist(),
            bodies=get_timeline_cipher(s.ref).seal_many(plaintexts, row_ids),
        )

    def count_by_day(self) -> CounterRows:
        """Returns counter deltas per UTC day, kind and scenario, of the metrics "events" and "attributed"."""
        days = (self.records["at"] // DAY_MS).tolist()
        kinds = self.records["kind"].tolist()
        groups = list(zip(days, kinds, self.scenarios, strict=True))
        counts = {"events": Counter(groups)}
        if any(self.attributed):
            attributed = zip(groups, self.attributed, strict=True)
            counts["attributed"] = Counter(group for group, is_attributed in attributed if is_attributed)
        rows = CounterRows()
        for metric, metric_counts in counts.items():
            for (day, kind, scenario), count in metric_counts.items():
                rows.append(
                    _format_day(day),
                    metric,
                    self.kind_names[kind],
                    scenario,
                    count,
                )
        return rows


def _find_chunk_starts(profile_index: IndexArray) -> IndexArray:
    """Returns the positions at which chunks begin, in records sorted by profile.

    A chunk has at most CHUNK_EVENTS - 1 records: merging never touches a full chunk, so a new chunk must not be full.
    """
    position = np.arange(profile_index.size)
    is_first = np.append(True, profile_index[1:] != profile_index[:-1])
    # For each record the position of the first record of its profile: a running maximum over the profile starts.
    profile_start = np.maximum.accumulate(np.where(is_first, position, 0))
    return np.flatnonzero((position - profile_start) % (CHUNK_EVENTS - 1) == 0)


def _format_day(day: int) -> str:
    """Returns the ISO date of a day number (days since 1970-01-01)."""
    return datetime.fromtimestamp(day * _DAY_SECONDS, UTC).date().isoformat()
