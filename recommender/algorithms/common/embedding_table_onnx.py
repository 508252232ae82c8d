"""The graph by which a narrow table of vectors is multiplied. Loads onnx: where models are made."""

from __future__ import annotations

from onnx import TensorProto, helper

from recommender.algorithms.common.embedding_table import QUANTIZATION_BLOCK

# Both factors in eight bits; without it the kernel widens the table at every call.
INT8_ACCURACY_LEVEL = 4


def build_matmul_graph(n_items: int, width: int) -> bytes:
    """ONNX: `vectors` float32 (rows, width) to `scores` float32 (rows, items). The table is given when it is loaded."""
    blocks = -(-width // QUANTIZATION_BLOCK)
    operator = helper.make_node(
        "MatMulNBits", ["vectors", "values", "steps"], ["scores"], domain="com.microsoft",
        K=width, N=n_items, bits=8, block_size=QUANTIZATION_BLOCK, accuracy_level=INT8_ACCURACY_LEVEL,
    )  # fmt: skip
    graph = helper.make_graph(
        [operator],
        "product",
        [helper.make_tensor_value_info("vectors", TensorProto.FLOAT, ["rows", width])],
        [helper.make_tensor_value_info("scores", TensorProto.FLOAT, ["rows", n_items])],
        [
            _make_external_initializer("values", TensorProto.UINT8, n_items, blocks, QUANTIZATION_BLOCK),
            _make_external_initializer("steps", TensorProto.FLOAT, n_items * blocks),
        ],
    )
    versions = [helper.make_opsetid("", 20), helper.make_opsetid("com.microsoft", 1)]
    return bytes(helper.make_model(graph, opset_imports=versions, ir_version=10).SerializeToString())


def _make_external_initializer(name: str, data_type: int, *shape: int) -> TensorProto:
    """An initialiser whose values are handed over when the session is made."""
    tensor = TensorProto(name=name, data_type=data_type, dims=shape, data_location=TensorProto.EXTERNAL)
    place = tensor.external_data.add()
    place.key, place.value = "location", name
    return tensor
