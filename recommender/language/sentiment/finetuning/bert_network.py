"""BERT with a sentiment output layer, and its weights for the export.

Imports torch, so only workers and commands may import this module.
"""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from recommender.language.encoders.wordpiece import MAX_TOKENS
from recommender.language.sentiment.finetuning.bert_onnx import (
    BertShape,
    BertWeights,
)
from recommender.types import Float32Array

_MASKING_RATE = 0.1


class BertSentiment(nn.Module):
    """A BERT with a linear layer over the mean of its last layer and the vector of the [CLS] token."""

    def __init__(self, model: Any, mask_token_id: int, rng: np.random.Generator) -> None:
        super().__init__()
        self.bert = model
        self._mask_token_id = mask_token_id
        self.bert.pooler = None
        # Its gradients take two thirds of the time of those of the fused implementation.
        self.bert.set_attn_implementation("eager")
        for module in self.bert.modules():
            if isinstance(module, nn.Dropout):
                module.p = 0.0  # masked tokens regularise as well in half of the time
        self.bert.embeddings.word_embeddings.weight.requires_grad_(False)
        pooled_width = 2 * model.config.hidden_size
        weight = rng.normal(0, 0.02, (pooled_width, 1)).astype(np.float32)
        self.output_weight = nn.Parameter(torch.from_numpy(weight))
        self.output_bias = nn.Parameter(torch.zeros(1))

    def forward(self, tokens: Tensor, attention_mask: Tensor) -> Tensor:
        """Maps token ids (rows, length) and mask (rows, length, 1) to log-odds (rows)."""
        if self.training:
            tokens = self._mask_tokens(tokens, attention_mask)
        output = self.bert(
            input_ids=tokens,
            attention_mask=attention_mask.squeeze(-1).long(),
        )
        hidden = output.last_hidden_state
        n_tokens = attention_mask.sum(1)
        mean = (hidden * attention_mask).sum(1) / n_tokens
        first_token = hidden[:, 0]
        pooled = torch.cat([mean, first_token], dim=-1)
        logits: Tensor = pooled @ self.output_weight + self.output_bias
        return logits.squeeze(-1)

    def _mask_tokens(self, tokens: Tensor, attention_mask: Tensor) -> Tensor:
        """Replaces random tokens by [MASK], but neither the first nor the last token of a text nor padding."""
        # The mask shifted by two positions ends one token before the last one; padding with False covers the first.
        inner = functional.pad(attention_mask[:, 2:, 0] > 0, (1, 1))
        is_drawn = torch.rand(tokens.shape) < _MASKING_RATE
        is_masked = inner & is_drawn
        return torch.where(is_masked, self._mask_token_id, tokens)


def derive_shape(network: BertSentiment) -> BertShape:
    """Returns the shape that `export_bert` needs."""
    config = network.bert.config
    return BertShape(
        layers=config.num_hidden_layers,
        heads=config.num_attention_heads,
        width=config.hidden_size,
        epsilon=config.layer_norm_eps,
    )


def collect_weights(network: BertSentiment) -> BertWeights:
    """Returns the constants of the exported graph by name, float32. Matrices are transposed to (inputs, outputs)."""
    embeddings = network.bert.embeddings
    layer_norm = embeddings.LayerNorm
    # Texts have one segment, so the embedding of segment 0 is added to each position once and for all.
    segment_embedding = embeddings.token_type_embeddings.weight[0]
    position_embeddings = embeddings.position_embeddings.weight[:MAX_TOKENS]
    arrays: dict[str, Float32Array] = {
        "words": _to_array(embeddings.word_embeddings.weight),
        "position_embeddings": _to_array(position_embeddings + segment_embedding),
        "gain": _to_array(layer_norm.weight),
        "bias": _to_array(layer_norm.bias),
        "output_weight": _to_array(network.output_weight),
        "output_bias": _to_array(network.output_bias),
    }
    n_heads = network.bert.config.num_attention_heads
    for n, layer in enumerate(network.bert.encoder.layer):
        arrays |= _collect_layer_weights(layer, n, n_heads)
    return arrays


def _collect_layer_weights(layer: Any, n: int, n_heads: int) -> dict[str, Float32Array]:
    attention = layer.attention.self
    query, key, value = attention.query, attention.key, attention.value
    attention_output = layer.attention.output
    intermediate = layer.intermediate
    output = layer.output
    # The scale 1 / sqrt(d) of the attention is folded into the queries.
    head_width = query.weight.shape[0] // n_heads
    root = head_width**0.5
    qkv = torch.cat((query.weight / root, key.weight, value.weight))
    qkv_bias = torch.cat((query.bias / root, key.bias, value.bias))
    return {
        f"attention{n}": _to_array(qkv.T),
        f"attention{n}_bias": _to_array(qkv_bias),
        f"attention_output{n}": _to_array(attention_output.dense.weight.T),
        f"attention_output{n}_bias": _to_array(attention_output.dense.bias),
        f"attention_output{n}_gain": _to_array(attention_output.LayerNorm.weight),
        f"attention_output{n}_shift": _to_array(attention_output.LayerNorm.bias),
        f"wide{n}": _to_array(intermediate.dense.weight.T),
        f"wide{n}_bias": _to_array(intermediate.dense.bias),
        f"narrow{n}": _to_array(output.dense.weight.T),
        f"narrow{n}_bias": _to_array(output.dense.bias),
        f"narrow{n}_gain": _to_array(output.LayerNorm.weight),
        f"narrow{n}_shift": _to_array(output.LayerNorm.bias),
    }


def hash_word_table(network: BertSentiment) -> NDArray[np.uint8]:
    """Returns the SHA-256 of the word embeddings, uint8 (32): they identify the encoder that a network was tuned from."""
    table = _to_array(network.bert.embeddings.word_embeddings.weight)
    digest = hashlib.sha256(table.tobytes()).digest()
    return np.frombuffer(digest, np.uint8)


def _to_array(value: Tensor) -> Float32Array:
    return np.ascontiguousarray(value.detach().numpy(), np.float32)
