"""A tuned network as int8 ONNX, written op by op: no tracer, the same graph from every torch. Loads onnx: workers only."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import onnx
from onnx import helper, numpy_helper, parser

from recommender.narrowing import quantised
from recommender.types import Floats

RUNS = (2, 3, 5)
# How many pieces of a run stand before the place it is read at.
LEFT = {2: 0, 3: 1, 5: 2}
NARROW = 256
EPSILON = 1e-12
POOLED = 512 + 320 + 1280

_READ = """
  {name}_around = Pad({x}, around{run})"""
_PIECE = """
  {name}_stop{k} = Add(length, k{k})
  {name}_{k} = Slice({name}_around, k{k}, {name}_stop{k}, places)"""
_RUN = """
  {name}_run = Concat<axis: int = -1>({parts})
  {name}_raw = MatMul({name}_run, {name})
  {name}_said = Add({name}_raw, {name}_bias)
  {name}_bent = Relu({name}_said)
  {name}_out = Add({name}_bent, {x})"""
_GRAPH = """<ir_version: 10, opset_import: ["" : 20]>
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


def export(arrays: Mapping[str, Floats]) -> bytes:
    """int8 ONNX: `pieces` float32 (rows, length, 512) and `there` (rows, length, 1) to log-odds float32 (rows)."""
    runs = "".join(_read(f"first{run}", f"part{run}", run) + _read_again(run) for run in RUNS)
    model = parser.parse_model(_GRAPH.format(runs=runs, epsilon=EPSILON))
    model.graph.initializer.extend(
        numpy_helper.from_array(np.array(value, order="C"), name)
        for name, value in {**_constants(), **arrays}.items()
    )
    onnx.checker.check_model(model)
    helper.set_model_props(model, {"onnx.quant.pre_process": "onnxruntime.quant"})
    return bytes(quantised(model).SerializeToString())


def _read(name: str, x: str, run: int) -> str:
    parts = ", ".join(f"{name}_{k}" for k in range(run))
    return (
        _READ.format(name=name, x=x, run=run)
        + "".join(_PIECE.format(name=name, k=k) for k in range(run))
        + _RUN.format(name=name, x=x, parts=parts)
    )


def _read_again(run: int) -> str:
    once = f"once{run}"
    return f"\n  {once} = Mul(first{run}_out, there)" + _read(f"second{run}", once, run)


def _constants() -> dict[str, np.ndarray]:
    shifts = {f"k{k}": np.array([k], np.int64) for k in range(max(RUNS))}
    around = {
        f"around{run}": np.array([0, LEFT[run], 0, 0, run - 1 - LEFT[run], 0], np.int64) for run in RUNS
    }
    return {
        **shifts,
        **around,
        "places": np.array([1], np.int64),
        "last": np.array([-1], np.int64),
        "one": np.array(1, np.float32),
        "much": np.array(1e4, np.float32),
    }
