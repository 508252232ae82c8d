"""The network that reads a history in order, but for the part that mixes its places. Loads torch: training only."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from recommender.algorithms.base import Arrays
from recommender.algorithms.sequence import NextItemConfig, SequenceConfig
from recommender.types import Bools, Floats

# Of the facts' mean square: what keeps a projection from reading noise out of rare directions.
RIDGE = 0.1


class Mixer(nn.Module, ABC):
    """What lets each place see those before it: (n, length, dimensions) to the same shape, causal.

    graph() says the same in ONNX text, from normed{i} to mixed{i} in block {i}; what it names b{i}_... are
    constants(). `length` is the number of places."""

    @abstractmethod
    def forward(self, x: Tensor) -> Tensor: ...

    @abstractmethod
    def graph(self) -> str: ...

    @abstractmethod
    def constants(self) -> Arrays: ...


class Dropout(nn.Module):
    """torch's own draws a float for each number, a fifth of all training; one byte tells rates well enough."""

    def __init__(self, rate: float) -> None:
        super().__init__()
        self.bar = round(256 * rate)

    def forward(self, x: Tensor) -> Tensor:
        if not self.training or self.bar == 0:
            return x
        words = torch.empty(-(-x.numel() // 8), dtype=torch.int64).random_(-(2**63), None)
        kept = words.view(torch.uint8)[: x.numel()].view(x.shape) >= self.bar
        return x * kept.to(x.dtype).mul_(256 / (256 - self.bar))


class Block(nn.Module):
    """A mixer and a feed-forward layer, normalised before each."""

    def __init__(self, config: NextItemConfig, mixer: Mixer) -> None:
        super().__init__()
        size = config.dimensions
        self.before_mixer = nn.LayerNorm(size)
        self.mixer = mixer
        self.before_feed = nn.LayerNorm(size)
        self.widen = nn.Linear(size, 4 * size)
        self.narrow = nn.Linear(4 * size, size)
        self.dropout = Dropout(config.dropout)

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.dropout(self.mixer(self.before_mixer(x)))
        wide = self.dropout(functional.gelu(self.widen(self.before_feed(x))))
        return torch.as_tensor(x + self.dropout(self.narrow(wide)))


class Network(nn.Module):
    """Item vectors (n, length, dimensions) to what follows each place, same shape, not normalised.

    `mixer` makes the mixer of the block with the given number. `facts` float32 (items, m), if given, say what is known
    of each item beside its choices: its vector is one of its own plus a learned projection of them."""

    def __init__(
        self,
        config: NextItemConfig,
        items: int,
        mixer: Callable[[int], Mixer],
        facts: Floats | None = None,
    ) -> None:
        super().__init__()
        self.item = nn.Embedding(items + 1, config.dimensions)
        self.position = nn.Parameter(torch.empty(config.history, config.dimensions))
        nn.init.normal_(self.item.weight, std=0.02)
        nn.init.normal_(self.position, std=0.02)
        self.facts: Tensor | None = None
        if facts is not None:
            self._hear(facts)
            nn.init.normal_(self.told.weight, std=0.02 * facts.shape[1] ** -0.5)
        self.dropout = Dropout(config.dropout)
        self.blocks = nn.ModuleList(Block(config, mixer(number)) for number in range(config.blocks))
        self.norm = nn.LayerNorm(config.dimensions)

    def _hear(self, facts: Floats) -> None:
        # The filler has no facts.
        self.facts = torch.from_numpy(np.vstack([facts, np.zeros_like(facts[:1])]))
        self.told = nn.Linear(facts.shape[1], self.item.embedding_dim, bias=False)

    def tell(self, facts: Floats, known: Bools) -> None:
        """Facts (items, m) join a network without any: their projection is what tells most of the known items' vectors,
        by ridge regression, and the other items begin as what it says of them."""
        table = self.table()
        told, size = facts[known], facts.shape[1]
        ridge = np.eye(size, dtype=np.float32) * max(float(np.square(told).sum()) / size * RIDGE, 1e-6)
        weight = np.linalg.solve(told.T @ told + ridge, told.T @ table[known]).astype(np.float32)
        own = np.where(known[:, None], table - facts @ weight, 0)
        self._hear(facts)
        with torch.no_grad():
            self.told.weight.copy_(torch.from_numpy(weight.T.copy()))
            self.item.weight[:-1].copy_(torch.from_numpy(own.astype(np.float32)))

    def forward(self, vectors: Tensor) -> Tensor:
        x = self.dropout(vectors + self.position[: vectors.shape[1]])
        for block in self.blocks:
            x = block(x)
        return torch.as_tensor(self.norm(x))

    def vectors(self, item: Tensor) -> Tensor:
        """(n, dimensions) of these items."""
        own = self.item(item)
        return torch.as_tensor(own if self.facts is None else own + self.told(self.facts[item]))

    def table(self) -> Floats:
        """float32 (items, dimensions): the vectors of all items, without the filler."""
        with torch.no_grad():
            return array(self.vectors(torch.arange(self.item.num_embeddings - 1)))

    def told_alone(self) -> Floats:
        """float32 (items, dimensions): what the facts alone say of each item; zeros where there are none."""
        with torch.no_grad():
            if self.facts is None:
                return np.zeros((self.item.num_embeddings - 1, self.item.embedding_dim), np.float32)
            return array(self.told(self.facts[:-1]))

    def each_block(self) -> list[Block]:
        return [block for block in self.blocks if isinstance(block, Block)]


ATTENTION = """
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


class Attention(Mixer):
    """Causal self-attention."""

    def __init__(self, config: SequenceConfig) -> None:
        super().__init__()
        self.config = config
        self.query_key_value = nn.Linear(config.dimensions, 3 * config.dimensions)
        self.attended = nn.Linear(config.dimensions, config.dimensions)

    def forward(self, x: Tensor) -> Tensor:
        rows, length, size = x.shape
        heads = self.config.heads
        parts = self.query_key_value(x).view(rows, length, 3, heads, size // heads).permute(2, 0, 3, 1, 4)
        seen = functional.scaled_dot_product_attention(parts[0], parts[1], parts[2], is_causal=True)
        return torch.as_tensor(self.attended(seen.transpose(1, 2).reshape(rows, length, size)))

    def graph(self) -> str:
        return ATTENTION

    def constants(self) -> Arrays:
        heads, size, history = self.config.heads, self.config.dimensions, self.config.history
        constants: Arrays = {
            "mask": np.triu(np.full((history, history), -1e9, np.float32), 1),
            "corner_start": np.zeros(2, np.int64),
            "by_head": np.array([0, 0, heads, size // heads], np.int64),
            "joined": np.array([0, 0, size], np.int64),
            "scale": np.array((size // heads) ** -0.5, np.float32),
        }
        weight, bias = array(self.query_key_value.weight), array(self.query_key_value.bias)
        for place, name in enumerate(("query", "key", "value")):
            rows = slice(place * size, (place + 1) * size)
            constants |= {name: weight[rows].T, f"{name}_bias": bias[rows]}
        return constants | linear("attended", self.attended)


def linear(name: str, layer: nn.Linear) -> Arrays:
    """`name` for MatMul from the right, and `name_bias`."""
    return {name: array(layer.weight).T, f"{name}_bias": array(layer.bias)}


def array(value: Tensor) -> Floats:
    copy: Floats = value.detach().float().numpy().copy()
    return copy
