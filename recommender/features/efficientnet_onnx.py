"""Builds the ONNX graph of EfficientNet-Lite0 from its PyTorch weights."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from recommender.features.images import ENCODER_NAME, POOLED_FEATURES, QUADRANT_FEATURES
from recommender.types import Float32Array

# The network's own input size. On 28 x 28 images of clothes, 224 pixels give a precision of 0.807 and 112 of 0.787.
INPUT_SIZE = 224
_BATCH_NORM_EPSILON = 1e-3
NamedWeights = dict[str, Float32Array]


class OnnxGraphBuilder:
    """Collects nodes and initialisers. `weights` are the PyTorch weights by parameter name."""

    def __init__(self, weights: NamedWeights) -> None:
        self._weights = weights
        self._nodes: list[onnx.NodeProto] = []
        # Bounds of ReLU6.
        self._initializers = [
            numpy_helper.from_array(np.array(0.0, np.float32), "zero"),
            numpy_helper.from_array(np.array(6.0, np.float32), "six"),
        ]

    def add_node(
        self,
        op_type: str,
        inputs: list[str],
        output: str,
        **attributes: Any,
    ) -> str:
        """Adds an operator with one output; returns the name of the output."""
        self._nodes.append(helper.make_node(op_type, inputs, [output], **attributes))
        return output

    def add_bottleneck(self, input_name: str, name: str, stride: int) -> str:
        """An inverted bottleneck: expand, depthwise convolution, project; with a skip connection where shapes match."""
        output = input_name
        expand_weight = self._weights.get(f"{name}._expand_conv.weight")
        if expand_weight is not None:
            output = self.add_convolution(output, f"{name}._expand_conv", f"{name}._bn0")
        output = self.add_convolution(
            output,
            f"{name}._depthwise_conv",
            f"{name}._bn1",
            stride=stride,
            depthwise=True,
        )
        output = self.add_convolution(output, f"{name}._project_conv", f"{name}._bn2", relu6=False)
        if expand_weight is None or stride != 1:
            return output
        n_inputs = expand_weight.shape[1]
        n_outputs = len(self._weights[f"{name}._project_conv.weight"])
        if n_inputs != n_outputs:
            return output
        return self.add_node("Add", [input_name, output], f"{name}.sum")

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
        """A convolution with the batch norm `norm` folded into its weights.

        Args:
            input_name: name of the input tensor.
            name: parameter name of the convolution.
            norm: parameter name of the batch norm that follows it.
            stride: stride in both directions.
            depthwise: whether each channel is convolved separately.
            relu6: whether the output is clipped to 0..6.
        """
        variance = self._weights[f"{norm}.running_var"] + _BATCH_NORM_EPSILON
        gain = self._weights[f"{norm}.weight"] / np.sqrt(variance)
        # One gain for each output channel, the first axis of the weight.
        weight = self._weights[f"{name}.weight"] * gain[:, None, None, None]
        bias = self._weights[f"{norm}.bias"] - self._weights[f"{norm}.running_mean"] * gain
        self._add_initializer(f"{name}.weight", weight)
        self._add_initializer(f"{name}.bias", bias)
        output = self.add_node(
            "Conv",
            [input_name, f"{name}.weight", f"{name}.bias"],
            f"{name}.out",
            kernel_shape=list(weight.shape[2:]),
            strides=[stride, stride],
            group=len(weight) if depthwise else 1,
            auto_pad="SAME_UPPER",
        )
        if not relu6:
            return output
        return self.add_node("Clip", [output, "zero", "six"], f"{name}.bounded")

    def _add_initializer(self, name: str, values: Float32Array) -> None:
        contiguous = np.ascontiguousarray(values, np.float32)
        self._initializers.append(numpy_helper.from_array(contiguous, name))

    def serialize_model(self) -> bytes:
        """The checked model; its inputs and outputs are those of `image_encoder.build_onnx_model`."""
        pixels = _describe_tensor("pixels", 3, INPUT_SIZE, INPUT_SIZE)
        pooled = _describe_tensor("pooled_features", POOLED_FEATURES)
        quadrants = _describe_tensor("quadrant_features", 4 * QUADRANT_FEATURES)
        graph = helper.make_graph(
            self._nodes, ENCODER_NAME, [pixels], [pooled, quadrants], self._initializers
        )
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)
        onnx.checker.check_model(model)
        return bytes(model.SerializeToString())


def _describe_tensor(name: str, *shape: int) -> onnx.ValueInfoProto:
    """A float32 tensor with a batch axis `n` before `shape`."""
    return helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n", *shape])
