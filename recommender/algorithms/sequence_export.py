"""A trained sequence network as int8 ONNX, written op by op: no tracer, the same graph from every torch."""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import onnx
from onnx import numpy_helper, parser
from onnxruntime.quantization import QuantType, quantize_dynamic

from recommender.algorithms.base import Arrays
from recommender.algorithms.sequence import SequenceConfig
from recommender.types import Floats

BLOCK = """
  normed{i} = LayerNormalization<epsilon: float = 1e-05>({x}, b{i}_gain1, b{i}_bias1)
  query_raw{i} = MatMul(normed{i}, b{i}_query)
  query_flat{i} = Add(query_raw{i}, b{i}_query_bias)
  key_raw{i} = MatMul(normed{i}, b{i}_key)
  key_flat{i} = Add(key_raw{i}, b{i}_key_bias)
  value_raw{i} = MatMul(normed{i}, b{i}_value)
  value_flat{i} = Add(value_raw{i}, b{i}_value_bias)
  query_split{i} = Reshape(query_flat{i}, by_head)
  key_split{i} = Reshape(key_flat{i}, by_head)
  value_split{i} = Reshape(value_flat{i}, by_head)
  query{i} = Transpose<perm: ints = [0, 2, 1, 3]>(query_split{i})
  key{i} = Transpose<perm: ints = [0, 2, 3, 1]>(key_split{i})
  value{i} = Transpose<perm: ints = [0, 2, 1, 3]>(value_split{i})
  match{i} = MatMul(query{i}, key{i})
  scaled{i} = Mul(match{i}, scale)
  masked{i} = Add(scaled{i}, past)
  attention{i} = Softmax<axis: int = -1>(masked{i})
  seen{i} = MatMul(attention{i}, value{i})
  seen_rows{i} = Transpose<perm: ints = [0, 2, 1, 3]>(seen{i})
  seen_flat{i} = Reshape(seen_rows{i}, joined)
  attended_raw{i} = MatMul(seen_flat{i}, b{i}_attended)
  attended{i} = Add(attended_raw{i}, b{i}_attended_bias)
  half{i} = Add({x}, attended{i})
  fed{i} = LayerNormalization<epsilon: float = 1e-05>(half{i}, b{i}_gain2, b{i}_bias2)
  wide_raw{i} = MatMul(fed{i}, b{i}_widen)
  wide{i} = Add(wide_raw{i}, b{i}_widen_bias)
  bent{i} = Gelu(wide{i})
  narrow_raw{i} = MatMul(bent{i}, b{i}_narrow)
  narrow{i} = Add(narrow_raw{i}, b{i}_narrow_bias)
  out{i} = Add(half{i}, narrow{i})"""

GRAPH = """<ir_version: 10, opset_import: ["" : 20]>
next_item (float[rows, length, {size}] vectors) => (float[rows, {size}] next) {{
  length = Shape<start: int = 1, end: int = 2>(vectors)
  places = Slice(position, start, length, start)
  x = Add(vectors, places)
  corner = Concat<axis: int = 0>(length, length)
  past = Slice(mask, corner_start, corner){blocks}
  all = LayerNormalization<epsilon: float = 1e-05>({last}, gain, bias)
  final = Gather<axis: int = 1>(all, latest)
  next = LpNormalization<axis: int = -1, p: int = 2>(final)
}}"""


def export(state: Mapping[str, Floats], config: SequenceConfig) -> bytes:
    """int8 ONNX: `vectors` float32 (rows, length, dimensions) to `next` float32 (rows, dimensions)."""
    names = ["x", *(f"out{number}" for number in range(config.blocks))]
    blocks = "".join(BLOCK.format(i=number, x=names[number]) for number in range(config.blocks))
    model = parser.parse_model(GRAPH.format(size=config.dimensions, blocks=blocks, last=names[-1]))
    constants = _shapes(config) | {
        "position": state["position"],
        "gain": state["norm.weight"],
        "bias": state["norm.bias"],
    }
    for number in range(config.blocks):
        constants |= _block(state, number, config.dimensions)
    model.graph.initializer.extend(numpy_helper.from_array(value, name) for name, value in constants.items())
    onnx.checker.check_model(model)
    # Marks the graph as ready for quantisation; without it the quantiser logs an advice at every export.
    onnx.helper.set_model_props(model, {"onnx.quant.pre_process": "onnxruntime.quant"})
    return _quantised(model)


def _shapes(config: SequenceConfig) -> Arrays:
    mask = np.triu(np.full((config.history, config.history), -1e9, np.float32), 1)
    each = config.dimensions // config.heads
    return {
        "mask": mask,
        "start": np.zeros(1, np.int64),
        "corner_start": np.zeros(2, np.int64),
        "latest": np.array(-1, np.int64),
        "by_head": np.array([0, 0, config.heads, each], np.int64),
        "joined": np.array([0, 0, config.dimensions], np.int64),
        "scale": np.array(each**-0.5, np.float32),
    }


def _block(state: Mapping[str, Floats], number: int, size: int) -> Arrays:
    def part(name: str) -> Floats:
        return state[f"blocks.{number}.{name}"]

    joined, joined_bias = part("query_key_value.weight"), part("query_key_value.bias")
    weights: Arrays = {
        "gain1": part("before_attention.weight"),
        "bias1": part("before_attention.bias"),
        "gain2": part("before_feed.weight"),
        "bias2": part("before_feed.bias"),
    }
    for place, name in enumerate(("query", "key", "value")):
        rows = slice(place * size, (place + 1) * size)
        weights |= {name: joined[rows].T, f"{name}_bias": joined_bias[rows]}
    for name in ("attended", "widen", "narrow"):
        weights |= {name: part(f"{name}.weight").T, f"{name}_bias": part(f"{name}.bias")}
    return {f"b{number}_{name}": np.ascontiguousarray(value) for name, value in weights.items()}


def _quantised(model: onnx.ModelProto) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        exact, small = Path(folder) / "exact.onnx", Path(folder) / "small.onnx"
        onnx.save(model, exact)
        # The quantiser tells the root logger about every tensor it leaves as it is.
        root = logging.getLogger()
        root.addFilter(_is_warning)
        try:
            quantize_dynamic(exact, small, weight_type=QuantType.QInt8, per_channel=True)
        finally:
            root.removeFilter(_is_warning)
        return small.read_bytes()


def _is_warning(record: logging.LogRecord) -> bool:
    return record.levelno >= logging.WARNING
