"""A network that reads a review's pieces in order, as int8 ONNX. It needs no torch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import onnxruntime

from recommender.language.encoders.sentencepiece import SentencePieceTokenizer
from recommender.language.encoders.wordpiece import WordPieceTokenizer
from recommender.onnx.session import create_session
from recommender.types import DataError, Float32Array

# A sum and its layer norm in one step takes five times as long as one after the other (onnxruntime 1.32).
_DISABLED_OPTIMIZERS = ["SkipLayerNormFusion"]


@dataclass(frozen=True)
class OnnxSentimentNetwork:
    """`graph`: ONNX from what stands in a text to log-odds of praise. `weights`: safetensors, float16, which another
    training may go on from; scoring does not read them. `tokenizer`: of a transformer, as its `tokenizer.json`; without
    one the network reads pieces of the multilingual encoder, and nothing in it is a word. `share`: how much it counts
    beside the words of a head."""

    graph: bytes = field(repr=False)
    weights: bytes = field(repr=False)
    tokenizer: bytes = field(default=b"", repr=False)
    blend_weight: float = 0.5

    def score(self, texts: Sequence[str]) -> Float32Array:
        """Log-odds float32 (len(texts)) of cleaned texts; above zero for praise. Memory grows by their pieces alone."""
        rows = self._tokenizer.tokenize(texts)
        order = sorted(range(len(rows)), key=lambda row: rows[row].size)
        found = np.zeros(len(rows), np.float32)
        start = 0
        while start < len(order):
            stop = start + 1
            while (
                stop < len(order)
                and (stop + 1 - start) * rows[order[stop]].size <= self._tokenizer.max_batch_tokens
            ):
                stop += 1
            part = order[start:stop]
            given = self._tokenizer.build_inputs([rows[row] for row in part])
            found[part] = self._session.run(None, dict(given))[0]
            start = stop
        return found

    @cached_property
    def _tokenizer(self) -> WordPieceTokenizer | SentencePieceTokenizer:
        return WordPieceTokenizer(self.tokenizer) if self.tokenizer else SentencePieceTokenizer()

    @cached_property
    def _session(self) -> onnxruntime.InferenceSession:
        try:
            return create_session(self.graph, disabled_optimizers=_DISABLED_OPTIMIZERS)
        except Exception as fault:  # what onnxruntime raises for a damaged graph is of many kinds
            raise DataError("The network of this sentiment head cannot be read.") from fault
