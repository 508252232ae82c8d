"""The sequence transformer. Loads torch: training processes only."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from recommender.algorithms.sequence import SequenceConfig


class Block(nn.Module):
    """Causal self-attention and a feed-forward layer, normalised before each."""

    def __init__(self, config: SequenceConfig) -> None:
        super().__init__()
        size = config.dimensions
        self.heads = config.heads
        self.before_attention = nn.LayerNorm(size)
        self.query_key_value = nn.Linear(size, 3 * size)
        self.attended = nn.Linear(size, size)
        self.before_feed = nn.LayerNorm(size)
        self.widen = nn.Linear(size, 4 * size)
        self.narrow = nn.Linear(4 * size, size)
        self.dropout = nn.Dropout(config.dropout)

    def forward(self, x: Tensor) -> Tensor:
        rows, length, size = x.shape
        joined = self.query_key_value(self.before_attention(x))
        parts = joined.view(rows, length, 3, self.heads, size // self.heads).permute(2, 0, 3, 1, 4)
        seen = functional.scaled_dot_product_attention(parts[0], parts[1], parts[2], is_causal=True)
        x = x + self.dropout(self.attended(seen.transpose(1, 2).reshape(rows, length, size)))
        wide = self.dropout(functional.gelu(self.widen(self.before_feed(x))))
        return torch.as_tensor(x + self.dropout(self.narrow(wide)))


class Network(nn.Module):
    """Item vectors (n, length, dimensions) to what follows each position, same shape, not normalised."""

    def __init__(self, config: SequenceConfig, items: int) -> None:
        super().__init__()
        self.item = nn.Embedding(items + 1, config.dimensions)
        self.position = nn.Parameter(torch.empty(config.history, config.dimensions))
        nn.init.normal_(self.item.weight, std=0.02)
        nn.init.normal_(self.position, std=0.02)
        self.dropout = nn.Dropout(config.dropout)
        self.blocks = nn.ModuleList(Block(config) for _ in range(config.blocks))
        self.norm = nn.LayerNorm(config.dimensions)

    def forward(self, vectors: Tensor) -> Tensor:
        x = self.dropout(vectors + self.position[: vectors.shape[1]])
        for block in self.blocks:
            x = block(x)
        return torch.as_tensor(self.norm(x))
