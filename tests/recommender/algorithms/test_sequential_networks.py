"""Sequence networks: the exported graph computes the same as the trained network."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
import torch

from recommender.algorithms.sequential.gru4rec import GRU4RecConfig
from recommender.algorithms.sequential.gru4rec_training import GRU4RecTrainer
from recommender.algorithms.sequential.network import NextItemNetwork
from recommender.algorithms.sequential.nextitnet import NextItNetConfig
from recommender.algorithms.sequential.nextitnet_training import NextItNetTrainer
from recommender.algorithms.sequential.onnx_export import export_float32, export_int8
from recommender.algorithms.sequential.sasrec import SASRec, SASRecConfig
from recommender.algorithms.sequential.sasrec_training import SASRecTrainer
from recommender.algorithms.sequential.trainer import SequentialTrainer
from recommender.dataset import Dataset
from recommender.types import Float32Array, Histories
from tests.recommender.checkerboard import QUICK_TRAINING

SIZE, HISTORY = 16, 12
SHAPE: dict[str, Any] = {"dimensions": SIZE, "history": HISTORY}
TRAINERS: dict[str, SequentialTrainer[Any]] = {
    "attention": SASRecTrainer(SASRecConfig(heads=2, blocks=2, **SHAPE)),
    "gru": GRU4RecTrainer(GRU4RecConfig(cell="gru", hidden_size=24, blocks=2, **SHAPE)),
    "lstm": GRU4RecTrainer(GRU4RecConfig(cell="lstm", hidden_size=24, **SHAPE)),
    "convolution": NextItNetTrainer(NextItNetConfig(blocks=3, **SHAPE)),
}
STORED_ARTEFACT = Path(__file__).parents[1] / "sasrec_artefact"


@pytest.fixture(params=list(TRAINERS))
def network(request: pytest.FixtureRequest) -> NextItemNetwork:
    """Random weights, large enough that a misplaced gate changes the output."""
    trainer = TRAINERS[request.param]
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(3)
        network = NextItemNetwork(trainer.config, 30, trainer._build_mixer).eval()
        for parameter in network.parameters():
            torch.nn.init.normal_(parameter, std=0.3)
    return network


def draw_vectors(length: int) -> Float32Array:
    return np.random.default_rng(length).normal(size=(5, length, SIZE)).astype(np.float32)


def run_torch(network: NextItemNetwork, inputs: Float32Array) -> Float32Array:
    with torch.no_grad():
        states = network(torch.from_numpy(inputs))[:, -1]
    return np.asarray(torch.nn.functional.normalize(states, dim=-1).numpy())


def run_onnx(content: bytes, inputs: Float32Array) -> Float32Array:
    session = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
    states: Float32Array = session.run(None, {"vectors": inputs})[0]
    return states


@pytest.mark.parametrize("length", [1, 2, 5, HISTORY])
def test_the_graph_computes_the_same_as_the_network(network: NextItemNetwork, length: int) -> None:
    inputs = draw_vectors(length)
    graph = export_float32(network).SerializeToString()
    np.testing.assert_allclose(run_onnx(graph, inputs), run_torch(network, inputs), atol=2e-5)


@pytest.mark.parametrize("length", [1, HISTORY])
def test_int8_changes_the_predictions_little(network: NextItemNetwork, length: int) -> None:
    inputs = draw_vectors(length)
    cosine = (run_onnx(export_int8(network), inputs) * run_torch(network, inputs)).sum(axis=1)
    assert cosine.min() > 0.99


def test_every_weight_matrix_is_stored_as_int8(network: NextItemNetwork) -> None:
    initializers = onnx.load_from_string(export_int8(network)).graph.initializer
    int8_names = [tensor.name for tensor in initializers if tensor.data_type == onnx.TensorProto.INT8]
    float32_names = [
        tensor.name
        for tensor in initializers
        if tensor.data_type == onnx.TensorProto.FLOAT and np.prod(tensor.dims) >= SIZE * SIZE
    ]
    assert len(int8_names) >= 3
    assert {name.split("_")[-1] for name in float32_names} <= {"embedding", "mask"}


def test_no_position_reads_a_later_one(network: NextItemNetwork) -> None:
    inputs = draw_vectors(HISTORY)
    changed = inputs.copy()
    changed[:, 6:] *= -1
    with torch.no_grad():
        before, after = (network(torch.from_numpy(vectors)).numpy() for vectors in (inputs, changed))
    np.testing.assert_allclose(before[:, :6], after[:, :6], atol=1e-5)
    assert np.abs(before[:, 6:] - after[:, 6:]).max() > 0.01


def test_a_later_position_reads_an_earlier_one(network: NextItemNetwork) -> None:
    inputs = draw_vectors(4)
    changed = inputs.copy()
    changed[:, 1] *= -1
    with torch.no_grad():
        before, after = (network(torch.from_numpy(vectors)).numpy() for vectors in (inputs, changed))
    assert np.abs(before[:, 3] - after[:, 3]).max() > 0.01


def test_lstm_cells_learn_the_checkerboard_too(board: Dataset) -> None:
    model = GRU4RecTrainer(GRU4RecConfig(cell="lstm", hidden_size=16, **QUICK_TRAINING))
    model.fit(board, np.random.default_rng(0))
    recommendations = model.recommend(Histories.from_lists([[0, 4, 2], [1, 7, 3]]), 5)
    assert (recommendations.items % 2 == [[0], [1]]).all()


def test_a_transformer_of_the_first_format_loads_and_scores_as_before() -> None:
    scores = SASRec.load(STORED_ARTEFACT).score(Histories.from_lists([[0, 2, 4], [1], []]))
    expected = [
        [0.846, -0.586, 0.772, -0.544, 0.768, -0.643],
        [-0.331, 0.91, -0.276, 0.824, -0.331, 0.918],
        [0.0] * 6,
    ]
    np.testing.assert_allclose(scores[:, :6], expected, atol=0.02)
