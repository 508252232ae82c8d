"""A tuned network as int8 ONNX, written op by op: no tracer, the same graph from every torch. Loads onnx: workers only."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import onnx
from onnx import helper, numpy_helper, parser

from recommender.onnx.quantization import quantize_dynamic_int8
from recommender.types import Float32Array

KERNEL_SIZES = (2, 3, 5)
# How many pieces of a run stand before the place it is read at.
LEFT_PADDING = {2: 0, 3: 1, 5: 2}
CHANNELS = 256
EPSILON = 1e-12
POOLED_WIDTH = 512 + 320 + 1280

_PADDING_TEXT = """
  {name}_around = Pad({x}, around{run})"""
_SLICE_TEXT = """
  {name}_stop{k} = Add(length, k{k})
  {name}_{k} = Slice({name}_around, k{k}, {name}_stop{k}, places)"""
_CONVOLUTION_TEXT = """
  {name}_run = Concat<axis: int = -1>({parts})
  {name}_raw = MatMul({name}_run, {name})
  {name}_said = Add({name}_raw, {name}_bias)
  {name}_bent = Relu({name}_said)
  {name}_out = Add({name}_bent, {x})"""
_GRAPH_TEXT = """<ir_version: 10, opset_import: ["" : 20]>
review (float[rows, length, 512] pieces, float[rows, length, 1] there) => (float[rows] praise_odds) {{
  length = Shape<start: int = 1, end: int = 2>(pieces)
  narrow_raw = MatMul(pieces, project)
  narrow_said = Add(narrow_raw, project_bias)
  narrow_normed = LayerNormalization<epsilon: float = {epsilon}>(narrow_said, narrow_gain, narrow_bias)
  narrow = Mul(narrow_normed, there)
  part2, part3, part5 = Split<axis: int = -1, num_outputs: int = 3>(narrow){runs}
  wide = Concat<axis: int = -1>(pieces, second2_out, second3_out, second5_out)
  wide_normed = LayerNormalization<epsilon: float = {epsilon}>(wide, wide_gain, wide_bias)
  wide_there = Mul(wide_normed, there)
  count = ReduceSum<keepdims: int = 0>(there, places)
  summed = ReduceSum<keepdims: int = 0>(wide_there, places)
  mean_raw = MatMul(summed, mean)
  mean_shift = Mul(count, mean_bias)
  mean_said = Add(mean_raw, mean_shift)
  root = Sqrt(count)
  mean_out = Div(mean_said, root)
  first_raw = MatMul(mean_out, bent_first)
  first_bent = Relu(first_raw)
  second_raw = MatMul(first_bent, bent_second)
  bent_raw = MatMul(mean_out, bent)
  bent_said = Add(bent_raw, second_raw)
  bent_out = Relu(bent_said)
  absent = Sub(there, one)
  low = Mul(absent, much)
  lowered = Add(wide_there, low)
  most = ReduceMax<keepdims: int = 0>(lowered, places)
  pooled = Concat<axis: int = -1>(mean_out, bent_out, most)
  odds_raw = MatMul(pooled, praise)
  odds = Add(odds_raw, praise_bias)
  praise_odds = Squeeze(odds, last)
}}"""


def export_use_cnn(weights: Mapping[str, Float32Array]) -> bytes:
    """int8 ONNX: `pieces` float32 (rows, length, 512) and `there` (rows, length, 1) to log-odds float32 (rows)."""
    runs = "".join(
        _render_convolution(f"first{run}", f"part{run}", run) + _render_second_convolution(run)
        for run in KERNEL_SIZES
    )
    model = parser.parse_model(_GRAPH_TEXT.format(runs=runs, epsilon=EPSILON))
    model.graph.initializer.extend(
        numpy_helper.from_array(np.array(value, order="C"), name)
        for name, value in {**_build_constants(), **weights}.items()
    )
    onnx.checker.check_model(model)
    helper.set_model_props(model, {"onnx.quant.pre_process": "onnxruntime.quant"})
    return bytes(quantize_dynamic_int8(model).SerializeToString())


def _render_convolution(name: str, input_name: str, kernel_size: int) -> str:
    parts = ", ".join(f"{name}_{k}" for k in range(kernel_size))
    return (
        _PADDING_TEXT.format(name=name, x=input_name, run=kernel_size)
        + "".join(_SLICE_TEXT.format(name=name, k=k) for k in range(kernel_size))
        + _CONVOLUTION_TEXT.format(name=name, x=input_name, parts=parts)
    )


def _render_second_convolution(kernel_size: int) -> str:
    once = f"once{kernel_size}"
    return f"\n  {once} = Mul(first{kernel_size}_out, there)" + _render_convolution(
        f"second{kernel_size}", once, kernel_size
    )


def _build_constants() -> dict[str, np.ndarray]:
    shifts = {f"k{k}": np.array([k], np.int64) for k in range(max(KERNEL_SIZES))}
    around = {
        f"around{run}": np.array([0, LEFT_PADDING[run], 0, 0, run - 1 - LEFT_PADDING[run], 0], np.int64)
        for run in KERNEL_SIZES
    }
    return {
        **shifts,
        **around,
        "places": np.array([1], np.int64),
        "last": np.array([-1], np.int64),
        "one": np.array(1, np.float32),
        "much": np.array(1e4, np.float32),
    }
