"""Export of `UseCnn` to int8 ONNX, operator by operator.

The graph does not depend on the version of torch. Imports onnx, so only workers may import this module."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import onnx
from onnx import helper, numpy_helper, parser

from recommender.onnx.quantization import quantize_dynamic_int8
from recommender.types import Float32Array

KERNEL_SIZES = (2, 3, 5)
# Pieces of a kernel to the left of its output position, by kernel size.
LEFT_PADDING = {2: 0, 3: 1, 5: 2}
CHANNELS = 256
EPSILON = 1e-12
POOLED_WIDTH = 512 + 320 + 1280  # mean, residual, maximum

# A convolution as a matrix product: shifted slices of the padded input are concatenated to the columns of a kernel
# window. Dynamic int8 quantisation covers MatMul, not Conv.
_PADDING_TEXT = """
  {name}_padded = Pad({x}, padding{kernel_size})"""
_SLICE_TEXT = """
  {name}_stop{k} = Add(length, offset{k})
  {name}_{k} = Slice({name}_padded, offset{k}, {name}_stop{k}, sequence_axis)"""
_CONVOLUTION_TEXT = """
  {name}_windows = Concat<axis: int = -1>({slices})
  {name}_raw = MatMul({name}_windows, {name})
  {name}_biased = Add({name}_raw, {name}_bias)
  {name}_relu = Relu({name}_biased)
  {name}_out = Add({name}_relu, {x})"""
_GRAPH_TEXT = """<ir_version: 10, opset_import: ["" : 20]>
review (float[rows, length, 512] pieces, float[rows, length, 1] attention_mask) => (float[rows] logits) {{
  length = Shape<start: int = 1, end: int = 2>(pieces)
  narrow_raw = MatMul(pieces, project)
  narrow_biased = Add(narrow_raw, project_bias)
  narrow_normed = LayerNormalization<epsilon: float = {epsilon}>(narrow_biased, narrow_gain, narrow_bias)
  narrow = Mul(narrow_normed, attention_mask)
  group2, group3, group5 = Split<axis: int = -1, num_outputs: int = 3>(narrow){convolutions}
  wide = Concat<axis: int = -1>(pieces, second2_out, second3_out, second5_out)
  wide_normed = LayerNormalization<epsilon: float = {epsilon}>(wide, wide_gain, wide_bias)
  features = Mul(wide_normed, attention_mask)
  n_pieces = ReduceSum<keepdims: int = 0>(attention_mask, sequence_axis)
  feature_sum = ReduceSum<keepdims: int = 0>(features, sequence_axis)
  mean_raw = MatMul(feature_sum, mean)
  mean_shift = Mul(n_pieces, mean_bias)
  mean_biased = Add(mean_raw, mean_shift)
  root = Sqrt(n_pieces)
  mean_out = Div(mean_biased, root)
  hidden_raw = MatMul(mean_out, hidden_first)
  hidden_relu = Relu(hidden_raw)
  hidden_out = MatMul(hidden_relu, hidden_second)
  residual_raw = MatMul(mean_out, residual)
  residual_sum = Add(residual_raw, hidden_out)
  residual_relu = Relu(residual_sum)
  absent = Sub(attention_mask, one)
  penalty = Mul(absent, mask_penalty)
  penalized = Add(features, penalty)
  max_pooled = ReduceMax<keepdims: int = 0>(penalized, sequence_axis)
  pooled = Concat<axis: int = -1>(mean_out, residual_relu, max_pooled)
  logits_raw = MatMul(pooled, output_weight)
  logits_column = Add(logits_raw, output_bias)
  logits = Squeeze(logits_column, last_axis)
}}"""


def export_use_cnn(weights: Mapping[str, Float32Array]) -> bytes:
    """Returns the int8 ONNX model of `UseCnn` with the given weights.

    Inputs are `pieces` float32 (rows, length, 512) and `attention_mask` float32 (rows, length, 1); the output is
    log-odds float32 (rows)."""
    convolutions = ""
    for kernel_size in KERNEL_SIZES:
        convolutions += _render_convolution(f"first{kernel_size}", f"group{kernel_size}", kernel_size)
        convolutions += f"\n  once{kernel_size} = Mul(first{kernel_size}_out, attention_mask)"
        convolutions += _render_convolution(f"second{kernel_size}", f"once{kernel_size}", kernel_size)
    model = parser.parse_model(_GRAPH_TEXT.format(convolutions=convolutions, epsilon=EPSILON))
    for name, value in {**_build_constants(), **weights}.items():
        # numpy_helper needs C order: some of the encoder's arrays are transposed views.
        initializer = numpy_helper.from_array(np.array(value, order="C"), name)
        model.graph.initializer.append(initializer)
    onnx.checker.check_model(model)
    # Without this property onnxruntime warns that the model was not pre-processed for quantisation.
    helper.set_model_props(model, {"onnx.quant.pre_process": "onnxruntime.quant"})
    return bytes(quantize_dynamic_int8(model).SerializeToString())


def _render_convolution(name: str, input_name: str, kernel_size: int) -> str:
    text = _PADDING_TEXT.format(name=name, x=input_name, kernel_size=kernel_size)
    for k in range(kernel_size):
        text += _SLICE_TEXT.format(name=name, k=k)
    slices = ", ".join(f"{name}_{k}" for k in range(kernel_size))
    return text + _CONVOLUTION_TEXT.format(name=name, x=input_name, slices=slices)


def _build_constants() -> dict[str, np.ndarray]:
    constants: dict[str, np.ndarray] = {
        "sequence_axis": np.array([1], np.int64),
        "last_axis": np.array([-1], np.int64),
        "one": np.array(1, np.float32),
        "mask_penalty": np.array(1e4, np.float32),
    }
    for k in range(max(KERNEL_SIZES)):
        constants[f"offset{k}"] = np.array([k], np.int64)
    for kernel_size in KERNEL_SIZES:
        n_left = LEFT_PADDING[kernel_size]
        n_right = kernel_size - 1 - n_left
        # ONNX Pad: amounts before each axis, then amounts after each axis.
        padding = [0, n_left, 0, 0, n_right, 0]
        constants[f"padding{kernel_size}"] = np.array(padding, np.int64)
    return constants
