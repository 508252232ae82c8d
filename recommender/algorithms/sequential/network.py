"""The network that reads a history in order, but for the part that mixes its places. Loads torch: training only."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from recommender.algorithms.base import Arrays
from recommender.algorithms.sequential.sasrec import SASRecConfig, SequentialConfig
from recommender.types import BoolArray, Float32Array

# Of the facts' mean square: what keeps a projection from reading noise out of rare directions.
FEATURE_RIDGE = 0.1


class SequenceMixer(nn.Module, ABC):
    """What lets each place see those before it: (n, length, dimensions) to the same shape, causal.

    graph() says the same in ONNX text, from normed{i} to mixed{i} in block {i}; what it names b{i}_... are
    constants(). `length` is the number of places."""

    @abstractmethod
    def forward(self, x: Tensor) -> Tensor: ...

    @abstractmethod
    def build_onnx_text(self) -> str: ...

    @abstractmethod
    def build_constants(self) -> Arrays: ...


class ByteDropout(nn.Module):
    """torch's own draws a float for each number, a fifth of all training; one byte tells rates well enough."""

    def __init__(self, rate: float) -> None:
        super().__init__()
        self.threshold = round(256 * rate)

    def forward(self, x: Tensor) -> Tensor:
        if not self.training or self.threshold == 0:
            return x
        words = torch.empty(-(-x.numel() // 8), dtype=torch.int64).random_(-(2**63), None)
        kept = words.view(torch.uint8)[: x.numel()].view(x.shape) >= self.threshold
        return x * kept.to(x.dtype).mul_(256 / (256 - self.threshold))


class MixerBlock(nn.Module):
    """A mixer and a feed-forward layer, normalised before each."""

    def __init__(self, config: SequentialConfig, mixer: SequenceMixer) -> None:
        super().__init__()
        size = config.dimensions
        self.mixer_norm = nn.LayerNorm(size)
        self.mixer = mixer
        self.feed_forward_norm = nn.LayerNorm(size)
        self.fc1 = nn.Linear(size, 4 * size)
        self.fc2 = nn.Linear(4 * size, size)
        self.dropout = ByteDropout(config.dropout)

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.dropout(self.mixer(self.mixer_norm(x)))
        wide = self.dropout(functional.gelu(self.fc1(self.feed_forward_norm(x))))
        return torch.as_tensor(x + self.dropout(self.fc2(wide)))


class NextItemNetwork(nn.Module):
    """Item vectors (n, length, dimensions) to what follows each place, same shape, not normalised.

    `mixer` makes the mixer of the block with the given number. `facts` float32 (items, m), if given, say what is known
    of each item beside its choices: its vector is one of its own plus a learned projection of them."""

    def __init__(
        self,
        config: SequentialConfig,
        n_items: int,
        make_mixer: Callable[[int], SequenceMixer],
        item_features: Float32Array | None = None,
    ) -> None:
        super().__init__()
        self.item_embedding = nn.Embedding(n_items + 1, config.dimensions)
        self.position_embedding = nn.Parameter(torch.empty(config.history, config.dimensions))
        nn.init.normal_(self.item_embedding.weight, std=0.02)
        nn.init.normal_(self.position_embedding, std=0.02)
        self.item_features: Tensor | None = None
        if item_features is not None:
            self._init_feature_projection(item_features)
            nn.init.normal_(self.feature_projection.weight, std=0.02 * item_features.shape[1] ** -0.5)
        self.dropout = ByteDropout(config.dropout)
        self.blocks = nn.ModuleList(MixerBlock(config, make_mixer(number)) for number in range(config.blocks))
        self.norm = nn.LayerNorm(config.dimensions)

    def _init_feature_projection(self, item_features: Float32Array) -> None:
        # The filler has no facts.
        self.item_features = torch.from_numpy(np.vstack([item_features, np.zeros_like(item_features[:1])]))
        self.feature_projection = nn.Linear(
            item_features.shape[1], self.item_embedding.embedding_dim, bias=False
        )

    def add_item_features(self, item_features: Float32Array, is_trained: BoolArray) -> None:
        """Facts (items, m) join a network without any: their projection is what tells most of the known items' vectors,
        by ridge regression, and the other items begin as what it says of them."""
        table = self.get_item_embeddings()
        told, size = item_features[is_trained], item_features.shape[1]
        ridge = np.eye(size, dtype=np.float32) * max(
            float(np.square(told).sum()) / size * FEATURE_RIDGE, 1e-6
        )
        weight = np.linalg.solve(told.T @ told + ridge, told.T @ table[is_trained]).astype(np.float32)
        own = np.where(is_trained[:, None], table - item_features @ weight, 0)
        self._init_feature_projection(item_features)
        with torch.no_grad():
            self.feature_projection.weight.copy_(torch.from_numpy(weight.T.copy()))
            self.item_embedding.weight[:-1].copy_(torch.from_numpy(own.astype(np.float32)))

    def forward(self, vectors: Tensor) -> Tensor:
        x = self.dropout(vectors + self.position_embedding[: vectors.shape[1]])
        for block in self.blocks:
            x = block(x)
        return torch.as_tensor(self.norm(x))

    def embed_items(self, items: Tensor) -> Tensor:
        """(n, dimensions) of these items."""
        own = self.item_embedding(items)
        return torch.as_tensor(
            own if self.item_features is None else own + self.feature_projection(self.item_features[items])
        )

    def get_item_embeddings(self) -> Float32Array:
        """float32 (items, dimensions): the vectors of all items, without the filler."""
        with torch.no_grad():
            return to_numpy(self.embed_items(torch.arange(self.item_embedding.num_embeddings - 1)))

    def embed_features_only(self) -> Float32Array:
        """float32 (items, dimensions): what the facts alone say of each item; zeros where there are none."""
        with torch.no_grad():
            if self.item_features is None:
                return np.zeros(
                    (self.item_embedding.num_embeddings - 1, self.item_embedding.embedding_dim), np.float32
                )
            return to_numpy(self.feature_projection(self.item_features[:-1]))

    def list_blocks(self) -> list[MixerBlock]:
        return [block for block in self.blocks if isinstance(block, MixerBlock)]


ATTENTION_ONNX = """
  query_raw{i} = MatMul(normed{i}, b{i}_query)
  query_flat{i} = Add(query_raw{i}, b{i}_query_bias)
  key_raw{i} = MatMul(normed{i}, b{i}_key)
  key_flat{i} = Add(key_raw{i}, b{i}_key_bias)
  value_raw{i} = MatMul(normed{i}, b{i}_value)
  value_flat{i} = Add(value_raw{i}, b{i}_value_bias)
  query_split{i} = Reshape(query_flat{i}, b{i}_by_head)
  key_split{i} = Reshape(key_flat{i}, b{i}_by_head)
  value_split{i} = Reshape(value_flat{i}, b{i}_by_head)
  query{i} = Transpose<perm: ints = [0, 2, 1, 3]>(query_split{i})
  key{i} = Transpose<perm: ints = [0, 2, 3, 1]>(key_split{i})
  value{i} = Transpose<perm: ints = [0, 2, 1, 3]>(value_split{i})
  match{i} = MatMul(query{i}, key{i})
  scaled{i} = Mul(match{i}, b{i}_scale)
  corner{i} = Concat<axis: int = 0>(length, length)
  past{i} = Slice(b{i}_mask, b{i}_corner_start, corner{i})
  masked{i} = Add(scaled{i}, past{i})
  attention{i} = Softmax<axis: int = -1>(masked{i})
  seen{i} = MatMul(attention{i}, value{i})
  seen_rows{i} = Transpose<perm: ints = [0, 2, 1, 3]>(seen{i})
  seen_flat{i} = Reshape(seen_rows{i}, b{i}_joined)
  attended{i} = MatMul(seen_flat{i}, b{i}_attended)
  mixed{i} = Add(attended{i}, b{i}_attended_bias)"""


class CausalSelfAttention(SequenceMixer):
    """Causal self-attention."""

    def __init__(self, config: SASRecConfig) -> None:
        super().__init__()
        self.config = config
        self.query_key_value = nn.Linear(config.dimensions, 3 * config.dimensions)
        self.output_projection = nn.Linear(config.dimensions, config.dimensions)

    def forward(self, x: Tensor) -> Tensor:
        rows, length, size = x.shape
        heads = self.config.heads
        parts = self.query_key_value(x).view(rows, length, 3, heads, size // heads).permute(2, 0, 3, 1, 4)
        seen = functional.scaled_dot_product_attention(parts[0], parts[1], parts[2], is_causal=True)
        return torch.as_tensor(self.output_projection(seen.transpose(1, 2).reshape(rows, length, size)))

    def build_onnx_text(self) -> str:
        return ATTENTION_ONNX

    def build_constants(self) -> Arrays:
        heads, size, history = self.config.heads, self.config.dimensions, self.config.history
        constants: Arrays = {
            "mask": np.triu(np.full((history, history), -1e9, np.float32), 1),
            "corner_start": np.zeros(2, np.int64),
            "by_head": np.array([0, 0, heads, size // heads], np.int64),
            "joined": np.array([0, 0, size], np.int64),
            "scale": np.array((size // heads) ** -0.5, np.float32),
        }
        weight, bias = to_numpy(self.query_key_value.weight), to_numpy(self.query_key_value.bias)
        for place, name in enumerate(("query", "key", "value")):
            rows = slice(place * size, (place + 1) * size)
            constants |= {name: weight[rows].T, f"{name}_bias": bias[rows]}
        return constants | export_linear("attended", self.output_projection)


def export_linear(name: str, layer: nn.Linear) -> Arrays:
    """`name` for MatMul from the right, and `name_bias`."""
    return {name: to_numpy(layer.weight).T, f"{name}_bias": to_numpy(layer.bias)}


def to_numpy(tensor: Tensor) -> Float32Array:
    copy: Float32Array = tensor.detach().float().numpy().copy()
    return copy
