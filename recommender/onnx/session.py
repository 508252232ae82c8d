"""ONNX Runtime sessions for serving. Needs onnxruntime, not onnx."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import onnxruntime

# onnxruntime's levels are 0 verbose, 1 info, 2 warning, 3 error, 4 fatal.
_LOG_ERRORS = 3


def create_session(
    graph: bytes,
    *,
    threads: int = 1,
    initializers: Mapping[str, np.ndarray[Any, Any]] | None = None,
    disabled_optimizers: Sequence[str] = (),
) -> onnxruntime.InferenceSession:
    """Creates a session, by default one that computes in the calling thread only.

    A request scores one history, so several web processes use the cores better than several threads of one.

    Args:
        graph: A serialised ONNX model.
        threads: Threads of one operator; zero: one per core.
        initializers: Values of the external initialisers, by name.
        disabled_optimizers: Names of graph optimisers that onnxruntime leaves out.

    Returns:
        The session, on the CPU.

    Raises:
        Exception: Of various types of onnxruntime, for a graph that it can't load.
    """
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = _LOG_ERRORS
    if initializers:
        values = [onnxruntime.OrtValue.ortvalue_from_numpy(array) for array in initializers.values()]
        options.add_external_initializers(list(initializers), values)
    return onnxruntime.InferenceSession(
        graph,
        options,
        providers=["CPUExecutionProvider"],
        disabled_optimizers=list(disabled_optimizers) or None,
    )
