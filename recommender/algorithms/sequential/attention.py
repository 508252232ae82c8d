"""Causal self-attention as a sequence mixer. Imports torch, so only training processes may import this module."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from recommender.algorithms.base import Arrays
from recommender.algorithms.sequential.network import SequenceMixer, export_linear, to_numpy
from recommender.algorithms.sequential.sasrec import SASRecConfig

# Scores of later positions get this added before the softmax, which makes their weights zero in float32.
_MASKED_SCORE = -1e9

ATTENTION_ONNX = """
  query_product{i} = MatMul(normed{i}, b{i}_query)
  query_flat{i} = Add(query_product{i}, b{i}_query_bias)
  key_product{i} = MatMul(normed{i}, b{i}_key)
  key_flat{i} = Add(key_product{i}, b{i}_key_bias)
  value_product{i} = MatMul(normed{i}, b{i}_value)
  value_flat{i} = Add(value_product{i}, b{i}_value_bias)
  query_heads{i} = Reshape(query_flat{i}, b{i}_heads_shape)
  key_heads{i} = Reshape(key_flat{i}, b{i}_heads_shape)
  value_heads{i} = Reshape(value_flat{i}, b{i}_heads_shape)
  query{i} = Transpose<perm: ints = [0, 2, 1, 3]>(query_heads{i})
  key{i} = Transpose<perm: ints = [0, 2, 3, 1]>(key_heads{i})
  value{i} = Transpose<perm: ints = [0, 2, 1, 3]>(value_heads{i})
  scores{i} = MatMul(query{i}, key{i})
  scaled{i} = Mul(scores{i}, b{i}_scale)
  mask_end{i} = Concat<axis: int = 0>(length, length)
  mask{i} = Slice(b{i}_mask, b{i}_mask_start, mask_end{i})
  masked{i} = Add(scaled{i}, mask{i})
  attention{i} = Softmax<axis: int = -1>(masked{i})
  context_heads{i} = MatMul(attention{i}, value{i})
  context_rows{i} = Transpose<perm: ints = [0, 2, 1, 3]>(context_heads{i})
  context{i} = Reshape(context_rows{i}, b{i}_context_shape)
  output_product{i} = MatMul(context{i}, b{i}_output)
  mixed{i} = Add(output_product{i}, b{i}_output_bias)"""


class CausalSelfAttention(SequenceMixer):
    """Multi-head scaled dot-product attention in which a position reads itself and earlier positions."""

    def __init__(self, config: SASRecConfig) -> None:
        super().__init__()
        self.config = config
        self.query_key_value = nn.Linear(config.dimensions, 3 * config.dimensions)
        self.output_projection = nn.Linear(config.dimensions, config.dimensions)

    def forward(self, x: Tensor) -> Tensor:
        n_rows, length, size = x.shape
        heads = self.config.heads
        # (3, rows, heads, length, size of a head)
        stacked = (
            self.query_key_value(x)
            .view(n_rows, length, 3, heads, size // heads)
            .permute(
                2,
                0,
                3,
                1,
                4,
            )
        )
        query, key, value = stacked[0], stacked[1], stacked[2]
        context = functional.scaled_dot_product_attention(
            query,
            key,
            value,
            is_causal=True,
        )
        joined_heads = context.transpose(1, 2).reshape(n_rows, length, size)
        return torch.as_tensor(self.output_projection(joined_heads))

    def build_onnx_text(self) -> str:
        """Returns the ONNX text of the attention."""
        return ATTENTION_ONNX

    def build_constants(self) -> Arrays:
        """Returns the weights, the causal mask for the longest history, and the shapes of the reshapes."""
        heads = self.config.heads
        size = self.config.dimensions
        history = self.config.history
        constants: Arrays = {
            "mask": np.triu(np.full((history, history), _MASKED_SCORE, np.float32), 1),
            "mask_start": np.zeros(2, np.int64),
            # Zero copies the size from the input.
            "heads_shape": np.array([0, 0, heads, size // heads], np.int64),
            "context_shape": np.array([0, 0, size], np.int64),
            "scale": np.array((size // heads) ** -0.5, np.float32),
        }
        weight = to_numpy(self.query_key_value.weight)
        bias = to_numpy(self.query_key_value.bias)
        for number, name in enumerate(("query", "key", "value")):
            rows = slice(number * size, (number + 1) * size)
            constants[name] = weight[rows].T
            constants[f"{name}_bias"] = bias[rows]
        return constants | export_linear("output", self.output_projection)
