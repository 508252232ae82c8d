"""int8 quantisation of embedding tables, and the ONNX graph that multiplies them. Imports onnx, so only workers may import this module."""

from __future__ import annotations

from onnx import TensorProto, helper

from recommender.algorithms.common.embedding_table import QUANTIZATION_BLOCK, EmbeddingTable, count_blocks
from recommender.onnx.int8 import quantize_rows

# Level 4 computes in int8; with a lower level the kernel dequantises the table at every call.
INT8_ACCURACY_LEVEL = 4


def quantize_table(table: EmbeddingTable) -> EmbeddingTable:
    """Returns the table as int8; an int8 table is returned as it is."""
    if table.is_quantized:
        return table
    values, scale = quantize_rows(table.to_float32())
    return EmbeddingTable(values, scale, build_matmul_graph(*values.shape))


def build_matmul_graph(
    n_items: int,
    width: int,
) -> bytes:
    """Builds ONNX from `vectors` float32 (rows, width) to `scores` float32 (rows, items).

    The table is not part of the graph: its codes and scales are external initialisers, passed to the session.
    """
    n_blocks = count_blocks(width)
    node = helper.make_node(
        "MatMulNBits",
        inputs=["vectors", "values", "scales"],
        outputs=["scores"],
        domain="com.microsoft",
        K=width,
        N=n_items,
        bits=8,
        block_size=QUANTIZATION_BLOCK,
        accuracy_level=INT8_ACCURACY_LEVEL,
    )
    vectors = helper.make_tensor_value_info("vectors", TensorProto.FLOAT, ["rows", width])
    scores = helper.make_tensor_value_info("scores", TensorProto.FLOAT, ["rows", n_items])
    codes_shape = (n_items, n_blocks, QUANTIZATION_BLOCK)
    graph = helper.make_graph(
        nodes=[node],
        name="matmul_graph",
        inputs=[vectors],
        outputs=[scores],
        initializer=[
            _make_external_initializer("values", TensorProto.UINT8, codes_shape),
            _make_external_initializer("scales", TensorProto.FLOAT, (n_items * n_blocks,)),
        ],
    )
    opsets = [helper.make_opsetid("", 20), helper.make_opsetid("com.microsoft", 1)]
    # onnxruntime reads IR versions up to 10 in every release that the project supports.
    model = helper.make_model(
        graph,
        opset_imports=opsets,
        ir_version=10,
    )
    return bytes(model.SerializeToString())


def _make_external_initializer(name: str, data_type: int, shape: tuple[int, ...]) -> TensorProto:
    """Makes an initialiser without values; the session receives them under `name`."""
    tensor = TensorProto(
        name=name,
        data_type=data_type,
        dims=shape,
        data_location=TensorProto.EXTERNAL,
    )
    # The "file" of the values: onnxruntime looks the name up among the arrays passed to the session.
    location = tensor.external_data.add()
    location.key = "location"
    location.value = name
    return tensor
