"""Dynamic int8 quantisation of ONNX networks. Imports onnx, so only workers and commands may import this module."""

from __future__ import annotations

import logging
import tempfile
from pathlib import Path

import onnx
from onnxruntime.quantization import QuantType, quantize_dynamic


def quantize_dynamic_int8(model: onnx.ModelProto) -> onnx.ModelProto:
    """Returns the model with the weights of its matrix products as int8, one scale per column.

    Activations are quantised while the model runs (onnxruntime's `quantize_dynamic`).
    """
    # quantize_dynamic reads and writes files only.
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / "float32.onnx"
        target = Path(folder) / "int8.onnx"
        onnx.save(model, source)
        # It logs an info line to the root logger for every tensor that it leaves unquantised.
        root = logging.getLogger()
        root.addFilter(_is_warning)
        try:
            quantize_dynamic(
                source,
                target,
                weight_type=QuantType.QInt8,
                per_channel=True,
                op_types_to_quantize=["MatMul"],
            )
        finally:
            root.removeFilter(_is_warning)
        return onnx.load(target)


def _is_warning(record: logging.LogRecord) -> bool:
    return record.levelno >= logging.WARNING
