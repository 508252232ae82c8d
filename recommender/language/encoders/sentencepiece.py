"""SentencePiece tokenizer and piece embeddings of the multilingual encoder, as input of a fine-tuned network. Needs numpy only."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from recommender.language.encoders.base import truncate_middle
from recommender.language.encoders.use import load_use_backend
from recommender.types import Float32Array, Int32Array

WIDTH = 512
MAX_PIECES = 160


def tokenize_pieces(texts: Sequence[str]) -> list[Int32Array]:
    """Returns the piece ids of each cleaned text, at most MAX_PIECES, including begin and end tokens."""
    tokenizer = load_use_backend().sp
    token_ids = []
    for text in texts:
        encoded = tokenizer.encode(
            text,
            out_type=int,
            add_bos=True,
            add_eos=True,
        )
        numbers = np.array(encoded, np.int32)
        token_ids.append(truncate_middle(numbers, MAX_PIECES))
    return token_ids


def embed_pieces(
    token_ids: Sequence[Int32Array],
) -> tuple[Float32Array, Float32Array]:
    """Looks up piece embeddings.

    Returns:
        float32 (rows, longest, WIDTH), zero in the padding, and the attention mask float32 (rows, longest, 1).
    """
    backend = load_use_backend()
    longest = max(row.size for row in token_ids)
    shape = (len(token_ids), longest)
    vectors = np.zeros((*shape, WIDTH), np.float32)
    attention_mask = np.zeros((*shape, 1), np.float32)
    for index, row in enumerate(token_ids):
        # The table is int8; the package stores scale and offset of piece p at p modulo their length.
        bucket = row % len(backend.scale)
        scale = backend.scale[bucket, None]
        offset = backend.lo[bucket, None]
        quantized = backend.table[row].astype(np.float32)
        vectors[index, : row.size] = quantized * scale + offset
        attention_mask[index, : row.size] = 1
    return vectors, attention_mask


class SentencePieceTokenizer:
    """Inputs of a network that was tuned from the multilingual encoder.

    A batch of `max_batch_tokens` pieces, padding included, takes some tens of megabytes."""

    max_batch_tokens = 4_096

    def tokenize(self, texts: Sequence[str]) -> list[Int32Array]:
        """Returns `tokenize_pieces(texts)`."""
        return tokenize_pieces(texts)

    def build_inputs(self, token_ids: Sequence[Int32Array]) -> Mapping[str, Float32Array]:
        """Returns the network inputs `pieces` and `attention_mask`, as `embed_pieces` describes them."""
        vectors, attention_mask = embed_pieces(token_ids)
        return {"pieces": vectors, "attention_mask": attention_mask}
