"""Exports a trained sequence network as int8 ONNX, operator by operator.

Imports torch and onnx, so only training processes may import this module.

docs/decisions/0034-write-onnx-graphs-by-hand.md compares this with `torch.onnx.export`.
"""

from __future__ import annotations

import numpy as np
import onnx
from onnx import helper, numpy_helper, parser

from recommender.algorithms.base import Arrays
from recommender.algorithms.sequential.base import VECTORS_INPUT
from recommender.algorithms.sequential.network import MixerBlock, NextItemNetwork, export_linear, to_numpy
from recommender.onnx.int8 import quantize_rows
from recommender.onnx.quantization import quantize_dynamic_int8
from recommender.types import Float32Array

# A block is these two texts around the text of its mixer; {x} is the output of the block before it.
PRE_MIXER_ONNX = """
  normed{i} = LayerNormalization<epsilon: float = 1e-05>({x}, b{i}_norm1_weight, b{i}_norm1_bias)"""

POST_MIXER_ONNX = """
  residual{i} = Add({x}, mixed{i})
  fc_input{i} = LayerNormalization<epsilon: float = 1e-05>(residual{i}, b{i}_norm2_weight, b{i}_norm2_bias)
  fc1_product{i} = MatMul(fc_input{i}, b{i}_fc1)
  fc1{i} = Add(fc1_product{i}, b{i}_fc1_bias)
  activated{i} = Gelu(fc1{i})
  fc2_product{i} = MatMul(activated{i}, b{i}_fc2)
  fc2{i} = Add(fc2_product{i}, b{i}_fc2_bias)
  output{i} = Add(residual{i}, fc2{i})"""

# Only the last position is kept: serving predicts what follows the whole history.
NETWORK_ONNX = """<ir_version: 10, opset_import: ["" : 20]>
next_item (float[rows, length, {size}] {vectors}) => (float[rows, {size}] next) {{
  length = Shape<start: int = 1, end: int = 2>({vectors})
  positions = Slice(position_embedding, zero, length, zero)
  x = Add({vectors}, positions){blocks}
  normed_output = LayerNormalization<epsilon: float = 1e-05>({last}, norm_weight, norm_bias)
  final = Gather<axis: int = 1>(normed_output, last_position)
  next = LpNormalization<axis: int = -1, p: int = 2>(final)
}}"""

# Inputs with the weights of operators that onnxruntime's quantiser leaves as float32.
RECURRENT_WEIGHT_INPUTS = {"GRU": (1, 2), "LSTM": (1, 2)}


def export_int8(network: NextItemNetwork) -> bytes:
    """Exports int8 ONNX from `vectors` float32 (rows, length, dimensions) to `next` float32 (rows, dimensions)."""
    model = quantize_dynamic_int8(export_float32(network))
    # After the quantiser, which refuses a model that already contains DequantizeLinear nodes.
    _quantize_recurrent_weights(model.graph)
    return bytes(model.SerializeToString())


def export_float32(network: NextItemNetwork) -> onnx.ModelProto:
    """Exports the same graph with float32 weights."""
    block_inputs = ["x"]
    block_texts = []
    for number, block in enumerate(network.list_blocks()):
        template = PRE_MIXER_ONNX + block.mixer.build_onnx_text() + POST_MIXER_ONNX
        block_texts.append(template.format(i=number, x=block_inputs[-1]))
        block_inputs.append(f"output{number}")
    text = NETWORK_ONNX.format(
        size=network.item_embedding.embedding_dim,
        vectors=VECTORS_INPUT,
        blocks="".join(block_texts),
        last=block_inputs[-1],
    )
    model = parser.parse_model(text)
    for name, value in _collect_constants(network).items():
        # Transposed weights are views in Fortran order; ONNX stores row by row.
        model.graph.initializer.append(numpy_helper.from_array(np.array(value, order="C"), name))
    onnx.checker.check_model(model)
    # Marks the graph as preprocessed; without it the quantiser logs a warning at every export.
    helper.set_model_props(model, {"onnx.quant.pre_process": "onnxruntime.quant"})
    return model


def _collect_constants(network: NextItemNetwork) -> Arrays:
    constants: Arrays = {
        "zero": np.zeros(1, np.int64),
        "last_position": np.array(-1, np.int64),
        "position_embedding": to_numpy(network.position_embedding),
        "norm_weight": to_numpy(network.norm.weight),
        "norm_bias": to_numpy(network.norm.bias),
    }
    for number, block in enumerate(network.list_blocks()):
        for name, value in _collect_block_constants(block).items():
            constants[f"b{number}_{name}"] = value
    return constants


def _collect_block_constants(block: MixerBlock) -> Arrays:
    constants: Arrays = {
        "norm1_weight": to_numpy(block.mixer_norm.weight),
        "norm1_bias": to_numpy(block.mixer_norm.bias),
        "norm2_weight": to_numpy(block.feed_forward_norm.weight),
        "norm2_bias": to_numpy(block.feed_forward_norm.bias),
    }
    constants |= block.mixer.build_constants()
    constants |= export_linear("fc1", block.fc1)
    constants |= export_linear("fc2", block.fc2)
    return constants


def _quantize_recurrent_weights(graph: onnx.GraphProto) -> None:
    """Stores the weights of recurrent cells as int8 with one scale per row; they are dequantised when loaded."""
    initializers = {tensor.name: tensor for tensor in graph.initializer}
    # A copy of the list: nodes are inserted while it is read.
    for node in list(graph.node):
        for input_number in RECURRENT_WEIGHT_INPUTS.get(node.op_type, ()):
            name = node.input[input_number]
            weight: Float32Array = numpy_helper.to_array(initializers[name])
            # The leading axis is that of directions, of which there is one.
            codes, scale = quantize_rows(weight[0])
            graph.initializer.remove(initializers[name])
            graph.initializer.append(numpy_helper.from_array(codes[None], f"{name}_int8"))
            graph.initializer.append(numpy_helper.from_array(scale, f"{name}_scale"))
            dequantize = helper.make_node(
                "DequantizeLinear",
                inputs=[f"{name}_int8", f"{name}_scale"],
                outputs=[name],
                name=f"dequantize_{name}",
                axis=1,
            )
            # ONNX requires nodes in topological order.
            graph.node.insert(0, dequantize)
