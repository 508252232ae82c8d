"""A network that reads a review's pieces in order, as int8 ONNX. It needs no torch and holds no word of a review."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import onnxruntime

from recommender.language.pieces import padded, pieces
from recommender.types import DataError, Floats

_AT_ONCE = 4_096  # pieces, padding included: about 25 MB of vectors and what is computed from them


@dataclass(frozen=True)
class ReviewNetwork:
    """`graph`: ONNX from vectors of pieces and which of them are there to log-odds of praise. `weights`: safetensors,
    float16, which another training may go on from; scoring does not read them."""

    graph: bytes = field(repr=False)
    weights: bytes = field(repr=False)

    def score(self, texts: Sequence[str]) -> Floats:
        """Log-odds float32 (len(texts)) of cleaned texts; above zero for praise. Memory does not grow with their number."""
        rows = pieces(texts)
        order = sorted(range(len(rows)), key=lambda row: rows[row].size)
        found = np.zeros(len(rows), np.float32)
        start = 0
        while start < len(order):
            stop = start + 1
            while stop < len(order) and (stop + 1 - start) * rows[order[stop]].size <= _AT_ONCE:
                stop += 1
            vectors, there = padded([rows[row] for row in order[start:stop]])
            found[order[start:stop]] = self._session.run(None, {"pieces": vectors, "there": there})[0]
            start = stop
        return found

    @cached_property
    def _session(self) -> onnxruntime.InferenceSession:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        options.inter_op_num_threads = 1
        options.log_severity_level = 3
        try:
            return onnxruntime.InferenceSession(self.graph, options, providers=["CPUExecutionProvider"])
        except Exception as fault:  # what onnxruntime raises for a damaged graph is of many kinds
            raise DataError("The network of this sentiment head cannot be read.") from fault
