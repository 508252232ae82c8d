"""The network around a sequence mixer: embeddings, feed-forward layers and norms.

Imports torch, so only training processes may import this module.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from recommender.algorithms.base import Arrays
from recommender.algorithms.sequential.base import SequentialConfig
from recommender.types import BoolArray, Float32Array

# Ridge penalty of the projection of features, as a fraction of their mean square: without it, directions in which
# features hardly vary would fit noise.
FEATURE_RIDGE = 0.1
_INIT_STD = 0.02


class SequenceMixer(nn.Module, ABC):
    """A causal layer that mixes the positions of a sequence: attention, recurrence or convolution.

    Input and output have shape (n, length, dimensions). `build_onnx_text` describes the same computation for serving.
    """

    @abstractmethod
    def forward(self, x: Tensor) -> Tensor:
        """Mixes each position with those before it."""

    @abstractmethod
    def build_onnx_text(self) -> str:
        """Returns the computation as ONNX text, a template with the block's number as `{i}`.

        The text reads `normed{i}` and writes `mixed{i}`. `length` is the number of positions, `b{i}_<name>` an entry of
        `build_constants`.
        """

    @abstractmethod
    def build_constants(self) -> Arrays:
        """Returns the initialisers of the ONNX text by name, without the prefix of the block."""


class ByteDropout(nn.Module):
    """Dropout with one random byte per element; rates are multiples of 1/256.

    `nn.Dropout` draws a float per element, which took a fifth of the whole training time.
    """

    def __init__(self, rate: float) -> None:
        super().__init__()
        self.threshold = round(256 * rate)

    def forward(self, x: Tensor) -> Tensor:
        if not self.training or self.threshold == 0:
            return x
        # Each 64-bit draw gives eight bytes; the number of draws is rounded up.
        n_draws = -(-x.numel() // 8)
        draws = torch.empty(n_draws, dtype=torch.int64).random_(-(2**63), None)
        random_bytes = draws.view(torch.uint8)[: x.numel()].view(x.shape)
        is_kept = random_bytes >= self.threshold
        # Scaled up by the inverse of the keep rate, so that the expectation does not change.
        return x * is_kept.to(x.dtype).mul_(256 / (256 - self.threshold))


class MixerBlock(nn.Module):
    """A sequence mixer and a feed-forward layer, each with a residual connection and a norm before it."""

    def __init__(
        self,
        config: SequentialConfig,
        mixer: SequenceMixer,
    ) -> None:
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
        hidden = self.dropout(functional.gelu(self.fc1(self.feed_forward_norm(x))))
        return torch.as_tensor(x + self.dropout(self.fc2(hidden)))


class NextItemNetwork(nn.Module):
    """Maps item embeddings (n, length, dimensions) to predictions of each next item, same shape, not normalised.

    With features the embedding of an item is its own vector plus a learned projection of its features.
    """

    def __init__(
        self,
        config: SequentialConfig,
        n_items: int,
        make_mixer: Callable[[int], SequenceMixer],
        item_features: Float32Array | None = None,
    ) -> None:
        """Creates a network with random parameters, drawn from torch's generator.

        Args:
            config: Parameters of the model.
            n_items: Number of items.
            make_mixer: Makes the mixer of the block with the given number.
            item_features: float32 (items, features), or None.
        """
        super().__init__()
        # The extra row is the padding item.
        self.item_embedding = nn.Embedding(n_items + 1, config.dimensions)
        self.position_embedding = nn.Parameter(torch.empty(config.history, config.dimensions))
        nn.init.normal_(self.item_embedding.weight, std=_INIT_STD)
        nn.init.normal_(self.position_embedding, std=_INIT_STD)
        self.item_features: Tensor | None = None
        if item_features is not None:
            self._init_feature_projection(item_features)
            # Projections of unit vectors then have the size of the item's own vector.
            n_features = item_features.shape[1]
            nn.init.normal_(self.feature_projection.weight, std=_INIT_STD * n_features**-0.5)
        self.dropout = ByteDropout(config.dropout)
        self.blocks = nn.ModuleList(MixerBlock(config, make_mixer(number)) for number in range(config.blocks))
        self.norm = nn.LayerNorm(config.dimensions)

    def _init_feature_projection(self, item_features: Float32Array) -> None:
        padding_features = np.zeros_like(item_features[:1])
        self.item_features = torch.from_numpy(np.vstack([item_features, padding_features]))
        self.feature_projection = nn.Linear(
            item_features.shape[1],
            self.item_embedding.embedding_dim,
            bias=False,
        )

    def add_item_features(
        self,
        item_features: Float32Array,
        is_trained: BoolArray,
    ) -> None:
        """Adds features to a network that was trained without them.

        The projection is fitted by ridge regression from the features to the trained embeddings, which do not change:
        the item's own vector becomes the residual. Other items start at their projected features.

        Args:
            item_features: float32 (items, features).
            is_trained: Items that have a trained embedding, bool (items).
        """
        embeddings = self.get_item_embeddings()
        trained_features = item_features[is_trained]
        n_features = item_features.shape[1]
        mean_square = float(np.square(trained_features).sum()) / n_features
        ridge = np.eye(n_features, dtype=np.float32) * max(mean_square * FEATURE_RIDGE, 1e-6)
        gram = trained_features.T @ trained_features + ridge
        projection = np.linalg.solve(gram, trained_features.T @ embeddings[is_trained]).astype(np.float32)
        residuals = np.where(
            is_trained[:, None],
            embeddings - item_features @ projection,
            0,
        )
        self._init_feature_projection(item_features)
        with torch.no_grad():
            self.feature_projection.weight.copy_(torch.from_numpy(projection.T.copy()))
            self.item_embedding.weight[:-1].copy_(torch.from_numpy(residuals.astype(np.float32)))

    def forward(self, vectors: Tensor) -> Tensor:
        x = self.dropout(vectors + self.position_embedding[: vectors.shape[1]])
        for block in self.blocks:
            x = block(x)
        return torch.as_tensor(self.norm(x))

    def embed_items(self, items: Tensor) -> Tensor:
        """Returns the embeddings of items, (len(items), dimensions)."""
        embeddings = self.item_embedding(items)
        if self.item_features is not None:
            embeddings = embeddings + self.feature_projection(self.item_features[items])
        return torch.as_tensor(embeddings)

    def get_item_embeddings(self) -> Float32Array:
        """Returns the embeddings of all items, float32 (items, dimensions), without the padding item."""
        with torch.no_grad():
            return to_numpy(self.embed_items(torch.arange(self.item_embedding.num_embeddings - 1)))

    def embed_features_only(self) -> Float32Array:
        """Returns the projected features of all items, float32 (items, dimensions); zeros without features."""
        if self.item_features is None:
            shape = (self.item_embedding.num_embeddings - 1, self.item_embedding.embedding_dim)
            return np.zeros(shape, np.float32)
        with torch.no_grad():
            return to_numpy(self.feature_projection(self.item_features[:-1]))

    def list_blocks(self) -> list[MixerBlock]:
        """Returns the blocks with their type, which nn.ModuleList does not keep."""
        return [block for block in self.blocks if isinstance(block, MixerBlock)]


def export_linear(
    name: str,
    layer: nn.Linear,
) -> Arrays:
    """Returns a layer's weight, transposed for `MatMul(x, weight)`, as `name`, and its bias as `<name>_bias`."""
    return {name: to_numpy(layer.weight).T, f"{name}_bias": to_numpy(layer.bias)}


def to_numpy(tensor: Tensor) -> Float32Array:
    """Returns a copy as float32."""
    array: Float32Array = tensor.detach().float().numpy().copy()
    return array
