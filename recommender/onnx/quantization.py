"""Networks as int8 ONNX. Loads onnx: workers and commands only."""

from __future__ import annotations

import logging
import tempfile
from pathlib import Path

import onnx
from onnxruntime.quantization import QuantType, quantize_dynamic


def quantize_dynamic_int8(model: onnx.ModelProto) -> onnx.ModelProto:
    """The model with weights of matrix products as int8, one scale a column."""
    with tempfile.TemporaryDirectory() as folder:
        wide, small = Path(folder) / "wide.onnx", Path(folder) / "small.onnx"
        onnx.save(model, wide)
        # The quantiser tells the root logger about every tensor it leaves as it is.
        root = logging.getLogger()
        root.addFilter(_is_warning)
        try:
            quantize_dynamic(
                wide, small, weight_type=QuantType.QInt8, per_channel=True, op_types_to_quantize=["MatMul"]
            )
        finally:
            root.removeFilter(_is_warning)
        return onnx.load(small)


def _is_warning(record: logging.LogRecord) -> bool:
    return record.levelno >= logging.WARNING
