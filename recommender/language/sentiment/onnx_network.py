"""Fine-tuned sentiment network as int8 ONNX. Scoring needs onnxruntime and no torch."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import onnxruntime

from recommender.language.encoders.sentencepiece import SentencePieceTokenizer
from recommender.language.encoders.wordpiece import WordPieceTokenizer
from recommender.onnx.session import create_session
from recommender.types import DataError, Float32Array, Int32Array

# The fused sum and layer norm takes five times as long as the two operators in sequence (onnxruntime 1.32).
_DISABLED_OPTIMIZERS = ["SkipLayerNormFusion"]


@dataclass(frozen=True)
class OnnxSentimentNetwork:
    """A network from tokens to log-odds that a text is positive.

    Attributes:
        graph: the ONNX model.
        weights: float16 weights as safetensors, from which another training can continue; scoring does not use them.
        tokenizer: `tokenizer.json` of a BERT; empty for the network that reads pieces of the multilingual encoder.
        blend_weight: factor of the score in the sum of `SentimentClassifier`.
    """

    graph: bytes = field(repr=False)
    weights: bytes = field(repr=False)
    tokenizer: bytes = field(default=b"", repr=False)
    blend_weight: float = 0.5

    def score(self, texts: Sequence[str]) -> Float32Array:
        """Returns log-odds float32 (len(texts)) of cleaned texts. Raises DataError for a damaged graph or tokenizer.

        Memory grows with the token ids only; vectors are computed per batch."""
        token_ids = self._tokenizer.tokenize(texts)
        scores = np.zeros(len(texts), np.float32)
        for rows in _iter_batches(token_ids, self._tokenizer.max_batch_tokens):
            inputs = self._tokenizer.build_inputs([token_ids[row] for row in rows])
            scores[rows] = self._session.run(None, dict(inputs))[0]
        return scores

    @cached_property
    def _tokenizer(self) -> WordPieceTokenizer | SentencePieceTokenizer:
        if self.tokenizer:
            return WordPieceTokenizer(self.tokenizer)
        return SentencePieceTokenizer()

    @cached_property
    def _session(self) -> onnxruntime.InferenceSession:
        try:
            return create_session(self.graph, disabled_optimizers=_DISABLED_OPTIMIZERS)
        except Exception as error:  # onnxruntime raises exceptions of many types for a damaged graph
            raise DataError("The network of this sentiment classifier cannot be read.") from error


def _iter_batches(token_ids: Sequence[Int32Array], max_batch_tokens: int) -> Iterator[list[int]]:
    """Row numbers in batches of similar length; a batch has at most `max_batch_tokens` tokens, padding included."""
    batch = list[int]()
    for row in sorted(range(len(token_ids)), key=lambda row: token_ids[row].size):
        # Lengths ascend, so all rows of the batch are padded to the length of this one.
        padded_size = (len(batch) + 1) * token_ids[row].size
        if batch and padded_size > max_batch_tokens:
            yield batch
            batch = []
        batch.append(row)
    if batch:
        yield batch
