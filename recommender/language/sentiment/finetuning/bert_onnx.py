"""Export of a fine-tuned BERT to int8 ONNX, operator by operator.

The graph does not depend on the version of torch. Imports onnx, so only workers may import this module."""

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
    """Number of layers and attention heads, width of the hidden vectors, epsilon of the layer norms."""

    layers: int
    heads: int
    width: int
    epsilon: float


# Attention as in Vaswani and others (2017); the scale of the scores is folded into the query weights. Position
# embeddings are sliced to the length of the batch; `mask` is 0 for tokens and -mask_penalty for padding.
_GRAPH_TEXT = """<ir_version: 10, opset_import: ["" : 20]>
review (int64[rows, length] tokens, float[rows, length, 1] attention_mask) => (float[rows] logits) {{
  length = Shape<start: int = 1, end: int = 2>(tokens)
  word_int8 = Gather(words, tokens)
  word_float = Cast<to: int = 1>(word_int8)
  scale = Gather(words_scale, tokens)
  word = Mul(word_float, scale)
  position = Slice(position_embeddings, from_start, length, from_start)
  embedded = Add(word, position)
  x0 = LayerNormalization<epsilon: float = {epsilon}>(embedded, gain, bias)
  absent_column = Sub(attention_mask, one)
  absent_row = Transpose<perm: ints = [0, 2, 1]>(absent_column)
  absent = Unsqueeze(absent_row, second_axis)
  mask = Mul(absent, mask_penalty){layers}
  masked_hidden = Mul(x{count}, attention_mask)
  hidden_sum = ReduceSum<keepdims: int = 0>(masked_hidden, second_axis)
  n_tokens = ReduceSum<keepdims: int = 0>(attention_mask, second_axis)
  mean = Div(hidden_sum, n_tokens)
  first_token = Gather<axis: int = 1>(x{count}, first_position)
  pooled = Concat<axis: int = -1>(mean, first_token)
  logits_raw = MatMul(pooled, output_weight)
  logits_column = Add(logits_raw, output_bias)
  logits = Squeeze(logits_column, last_axis)
}}"""
# The product with attention{n} gives queries, keys and values of all heads: (rows, length, 3, heads, width per head),
# transposed to (3, rows, heads, length, width per head).
_LAYER_TEXT = """
  qkv_raw{n} = MatMul(x{n}, attention{n})
  qkv{n} = Add(qkv_raw{n}, attention{n}_bias)
  qkv_heads{n} = Reshape(qkv{n}, heads_shape)
  qkv_transposed{n} = Transpose<perm: ints = [2, 0, 3, 1, 4]>(qkv_heads{n})
  queries{n} = Gather(qkv_transposed{n}, query_index)
  keys{n} = Gather(qkv_transposed{n}, key_index)
  values{n} = Gather(qkv_transposed{n}, value_index)
  keys_transposed{n} = Transpose<perm: ints = [0, 1, 3, 2]>(keys{n})
  similarities{n} = MatMul(queries{n}, keys_transposed{n})
  masked{n} = Add(similarities{n}, mask)
  weights{n} = Softmax<axis: int = -1>(masked{n})
  attended{n} = MatMul(weights{n}, values{n})
  attended_transposed{n} = Transpose<perm: ints = [0, 2, 1, 3]>(attended{n})
  attended_flat{n} = Reshape(attended_transposed{n}, width_shape)
  projected_raw{n} = MatMul(attended_flat{n}, attention_output{n})
  projected{n} = Add(projected_raw{n}, attention_output{n}_bias)
  attention_sum{n} = Add(projected{n}, x{n})
  y{n} = LayerNormalization<epsilon: float = {epsilon}>(attention_sum{n}, attention_output{n}_gain, attention_output{n}_shift)
  wide_raw{n} = MatMul(y{n}, wide{n})
  wide_biased{n} = Add(wide_raw{n}, wide{n}_bias)
  activated{n} = Gelu(wide_biased{n})
  narrow_raw{n} = MatMul(activated{n}, narrow{n})
  narrow_biased{n} = Add(narrow_raw{n}, narrow{n}_bias)
  layer_sum{n} = Add(narrow_biased{n}, y{n})
  x{next} = LayerNormalization<epsilon: float = {epsilon}>(layer_sum{n}, narrow{n}_gain, narrow{n}_shift)"""


def export_bert(weights: BertWeights, shape: BertShape) -> onnx.ModelProto:
    """Returns the ONNX model of `BertSentiment`; `quantize_model` quantises its matrix products.

    Inputs are `tokens` int64 (rows, length) and `attention_mask` float32 (rows, length, 1); the output is log-odds
    float32 (rows). The word embeddings are int8 with one scale per word."""
    layers = ""
    for n in range(shape.layers):
        layers += _LAYER_TEXT.format(n=n, next=n + 1, epsilon=shape.epsilon)
    model = parser.parse_model(_GRAPH_TEXT.format(layers=layers, epsilon=shape.epsilon, count=shape.layers))
    initializers = {
        **_build_constants(shape),
        **weights,
        **_quantize_words(weights["words"]),
    }
    for name, value in initializers.items():
        # numpy_helper needs C order.
        model.graph.initializer.append(numpy_helper.from_array(np.array(value, order="C"), name))
    onnx.checker.check_model(model)
    # Without this property onnxruntime warns that the model was not pre-processed for quantisation.
    helper.set_model_props(model, {"onnx.quant.pre_process": "onnxruntime.quant"})
    return model


def _quantize_words(words: np.ndarray[Any, Any]) -> dict[str, np.ndarray[Any, Any]]:
    codes, scale = quantize_rows(words)
    # The graph multiplies codes (words, width) by scales (words, 1).
    return {"words": codes, "words_scale": scale[:, None]}


def quantize_model(model: onnx.ModelProto) -> bytes:
    """Returns the serialised model with int8 matrix products."""
    return bytes(quantize_dynamic_int8(model).SerializeToString())


def _build_constants(shape: BertShape) -> dict[str, np.ndarray[Any, Any]]:
    # In a Reshape, 0 copies the size of the input's axis.
    heads_shape = [0, 0, 3, shape.heads, shape.width // shape.heads]
    return {
        "from_start": np.array([0], np.int64),
        "second_axis": np.array([1], np.int64),
        "last_axis": np.array([-1], np.int64),
        "one": np.array(1, np.float32),
        "mask_penalty": np.array(1e4, np.float32),
        "heads_shape": np.array(heads_shape, np.int64),
        "width_shape": np.array([0, 0, shape.width], np.int64),
        "query_index": np.array(0, np.int64),
        "key_index": np.array(1, np.int64),
        "value_index": np.array(2, np.int64),
        "first_position": np.array(0, np.int64),
    }
