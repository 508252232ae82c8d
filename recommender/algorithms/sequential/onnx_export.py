"""A trained sequence network as int8 ONNX, written op by op: no tracer, the same graph from every torch."""

from __future__ import annotations

import numpy as np
import onnx
from onnx import helper, numpy_helper, parser

from recommender.algorithms.base import Arrays
from recommender.algorithms.sequential.network import MixerBlock, NextItemNetwork, export_linear, to_numpy
from recommender.onnx.quantization import quantize_dynamic_int8
from recommender.types import Float32Array

PRE_MIXER_ONNX = """
  normed{i} = LayerNormalization<epsilon: float = 1e-05>({x}, b{i}_gain1, b{i}_bias1)"""

POST_MIXER_ONNX = """
  half{i} = Add({x}, mixed{i})
  fed{i} = LayerNormalization<epsilon: float = 1e-05>(half{i}, b{i}_gain2, b{i}_bias2)
  wide_raw{i} = MatMul(fed{i}, b{i}_widen)
  wide{i} = Add(wide_raw{i}, b{i}_widen_bias)
  bent{i} = Gelu(wide{i})
  narrow_raw{i} = MatMul(bent{i}, b{i}_narrow)
  narrow{i} = Add(narrow_raw{i}, b{i}_narrow_bias)
  out{i} = Add(half{i}, narrow{i})"""

NETWORK_ONNX = """<ir_version: 10, opset_import: ["" : 20]>
next_item (float[rows, length, {size}] vectors) => (float[rows, {size}] next) {{
  length = Shape<start: int = 1, end: int = 2>(vectors)
  places = Slice(position, start, length, start)
  x = Add(vectors, places){blocks}
  all = LayerNormalization<epsilon: float = 1e-05>({last}, gain, bias)
  final = Gather<axis: int = 1>(all, latest)
  next = LpNormalization<axis: int = -1, p: int = 2>(final)
}}"""

# Weights of operators the quantiser does not know; they are kept as int8 and widened when the model is loaded.
INT8_WEIGHT_INPUTS = {"GRU": (1, 2), "LSTM": (1, 2)}


def export_int8(network: NextItemNetwork) -> bytes:
    """int8 ONNX: `vectors` float32 (rows, length, dimensions) to `next` float32 (rows, dimensions)."""
    model = quantize_dynamic_int8(export_float32(network))
    # The quantiser would take a model with widened weights for one quantised before.
    _quantize_recurrent_weights(model.graph)
    return bytes(model.SerializeToString())


def export_float32(network: NextItemNetwork) -> onnx.ModelProto:
    """The same with the weights as they were learned."""
    names = ["x", *(f"out{number}" for number in range(len(network.blocks)))]
    blocks = "".join(
        (PRE_MIXER_ONNX + block.mixer.build_onnx_text() + POST_MIXER_ONNX).format(i=number, x=names[number])
        for number, block in enumerate(network.list_blocks())
    )
    size = network.item_embedding.embedding_dim
    model = parser.parse_model(NETWORK_ONNX.format(size=size, blocks=blocks, last=names[-1]))
    model.graph.initializer.extend(
        numpy_helper.from_array(np.array(value, order="C"), name)
        for name, value in _collect_constants(network).items()
    )
    onnx.checker.check_model(model)
    # Marks the graph as ready for quantisation; without it the quantiser logs an advice at every export.
    helper.set_model_props(model, {"onnx.quant.pre_process": "onnxruntime.quant"})
    return model


def _collect_constants(network: NextItemNetwork) -> Arrays:
    constants: Arrays = {
        "start": np.zeros(1, np.int64),
        "latest": np.array(-1, np.int64),
        "position": to_numpy(network.position_embedding),
        "gain": to_numpy(network.norm.weight),
        "bias": to_numpy(network.norm.bias),
    }
    for number, block in enumerate(network.list_blocks()):
        constants |= {f"b{number}_{name}": value for name, value in _collect_block_constants(block).items()}
    return constants


def _collect_block_constants(block: MixerBlock) -> Arrays:
    norms: Arrays = {
        "gain1": to_numpy(block.mixer_norm.weight),
        "bias1": to_numpy(block.mixer_norm.bias),
        "gain2": to_numpy(block.feed_forward_norm.weight),
        "bias2": to_numpy(block.feed_forward_norm.bias),
    }
    return (
        norms
        | block.mixer.build_constants()
        | export_linear("widen", block.fc1)
        | export_linear("narrow", block.fc2)
    )


def _quantize_recurrent_weights(graph: onnx.GraphProto) -> None:
    """Replaces the weights of recurrent cells by int8 ones, scaled row by row, that are widened before use."""
    values = {tensor.name: tensor for tensor in graph.initializer}
    for node in list(graph.node):
        for place in INT8_WEIGHT_INPUTS.get(node.op_type, ()):
            name = node.input[place]
            weight: Float32Array = numpy_helper.to_array(values[name])
            scale = np.maximum(np.abs(weight).max(axis=(0, 2)) / 127, 1e-12).astype(np.float32)
            small = np.round(weight / scale[:, None]).astype(np.int8)
            graph.initializer.remove(values[name])
            graph.initializer.append(numpy_helper.from_array(small, f"{name}_small"))
            graph.initializer.append(numpy_helper.from_array(scale, f"{name}_scale"))
            widen = helper.make_node(
                "DequantizeLinear", [f"{name}_small", f"{name}_scale"], [name], axis=1, name=f"widen_{name}"
            )
            graph.node.insert(0, widen)
