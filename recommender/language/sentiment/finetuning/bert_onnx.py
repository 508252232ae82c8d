"""A tuned BERT as int8 ONNX, written op by op: no tracer, the same graph from every torch. Loads onnx: workers only."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx
from onnx import helper, numpy_helper, parser

from recommender.onnx.int8 import quantize_rows
from recommender.onnx.quantization import quantize_dynamic_int8

BertWeights = Mapping[str, np.ndarray[Any, Any]]


@dataclass(frozen=True, slots=True)
class BertShape:
    """layers, heads, width of a vector, and the epsilon of the layer norms."""

    layers: int
    heads: int
    width: int
    epsilon: float


# `x0` is what a token says by itself. Attention as in Vaswani and others (2017), its scale folded into the queries.
_GRAPH_TEXT = """<ir_version: 10, opset_import: ["" : 20]>
review (int64[rows, length] tokens, float[rows, length, 1] there) => (float[rows] praise_odds) {{
  length = Shape<start: int = 1, end: int = 2>(tokens)
  small = Gather(words, tokens)
  small_cast = Cast<to: int = 1>(small)
  scale = Gather(words_scale, tokens)
  word = Mul(small_cast, scale)
  place = Slice(places, from_start, length, from_start)
  placed = Add(word, place)
  x0 = LayerNormalization<epsilon: float = {epsilon}>(placed, gain, bias)
  absent_column = Sub(there, one)
  absent_row = Transpose<perm: ints = [0, 2, 1]>(absent_column)
  absent = Unsqueeze(absent_row, second)
  mask = Mul(absent, much){layers}
  kept = Mul(x{count}, there)
  summed = ReduceSum<keepdims: int = 0>(kept, second)
  number = ReduceSum<keepdims: int = 0>(there, second)
  mean = Div(summed, number)
  opening = Gather<axis: int = 1>(x{count}, opening_place)
  pooled = Concat<axis: int = -1>(mean, opening)
  odds_raw = MatMul(pooled, praise)
  odds = Add(odds_raw, praise_bias)
  praise_odds = Squeeze(odds, last)
}}"""
_LAYER_TEXT = """
  asked_raw{n} = MatMul(x{n}, attention{n})
  asked{n} = Add(asked_raw{n}, attention{n}_bias)
  parts{n} = Reshape(asked{n}, heads_shape)
  turned{n} = Transpose<perm: ints = [2, 0, 3, 1, 4]>(parts{n})
  queries{n} = Gather(turned{n}, first_part)
  keys{n} = Gather(turned{n}, second_part)
  values{n} = Gather(turned{n}, third_part)
  keys_turned{n} = Transpose<perm: ints = [0, 1, 3, 2]>(keys{n})
  alike{n} = MatMul(queries{n}, keys_turned{n})
  masked{n} = Add(alike{n}, mask)
  weights{n} = Softmax<axis: int = -1>(masked{n})
  heard{n} = MatMul(weights{n}, values{n})
  heard_turned{n} = Transpose<perm: ints = [0, 2, 1, 3]>(heard{n})
  heard_flat{n} = Reshape(heard_turned{n}, width_shape)
  said_raw{n} = MatMul(heard_flat{n}, said{n})
  said_shifted{n} = Add(said_raw{n}, said{n}_bias)
  both{n} = Add(said_shifted{n}, x{n})
  y{n} = LayerNormalization<epsilon: float = {epsilon}>(both{n}, said{n}_gain, said{n}_shift)
  wide_raw{n} = MatMul(y{n}, wide{n})
  wide_shifted{n} = Add(wide_raw{n}, wide{n}_bias)
  bent{n} = Gelu(wide_shifted{n})
  narrow_raw{n} = MatMul(bent{n}, narrow{n})
  narrow_shifted{n} = Add(narrow_raw{n}, narrow{n}_bias)
  all{n} = Add(narrow_shifted{n}, y{n})
  x{after} = LayerNormalization<epsilon: float = {epsilon}>(all{n}, narrow{n}_gain, narrow{n}_shift)"""


def export_bert(weights: BertWeights, shape: BertShape) -> onnx.ModelProto:
    """`tokens` int64 (rows, length) and `there` float32 (rows, length, 1) to log-odds float32 (rows).

    The table of words is int8 with a scale a row; `narrowed` narrows the products."""
    layers = "".join(_LAYER_TEXT.format(n=n, after=n + 1, epsilon=shape.epsilon) for n in range(shape.layers))
    model = parser.parse_model(_GRAPH_TEXT.format(layers=layers, epsilon=shape.epsilon, count=shape.layers))
    words = weights["words"]
    codes, scale = quantize_rows(words)
    table = {"words": codes, "words_scale": scale[:, None]}
    model.graph.initializer.extend(
        numpy_helper.from_array(np.array(value, order="C"), name)
        for name, value in {**_build_constants(shape), **weights, **table}.items()
    )
    onnx.checker.check_model(model)
    helper.set_model_props(model, {"onnx.quant.pre_process": "onnxruntime.quant"})
    return model


def quantize_model(model: onnx.ModelProto) -> bytes:
    return bytes(quantize_dynamic_int8(model).SerializeToString())


def _build_constants(shape: BertShape) -> dict[str, np.ndarray[Any, Any]]:
    return {
        "from_start": np.array([0], np.int64),
        "second": np.array([1], np.int64),
        "last": np.array([-1], np.int64),
        "one": np.array(1, np.float32),
        "much": np.array(1e4, np.float32),
        "heads_shape": np.array([0, 0, 3, shape.heads, shape.width // shape.heads], np.int64),
        "width_shape": np.array([0, 0, shape.width], np.int64),
        "first_part": np.array(0, np.int64),
        "second_part": np.array(1, np.int64),
        "third_part": np.array(2, np.int64),
        "opening_place": np.array(0, np.int64),
    }
