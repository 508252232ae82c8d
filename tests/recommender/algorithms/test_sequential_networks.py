"""The networks that read a history in order: what is served is what was learned."""

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
from tests.recommender.checkerboard import QUICK

SIZE, HISTORY = 16, 12
SHAPE: dict[str, Any] = {"dimensions": SIZE, "history": HISTORY}
TRAINERS: dict[str, SequentialTrainer[Any]] = {
    "attention": SASRecTrainer(SASRecConfig(heads=2, blocks=2, **SHAPE)),
    "gru": GRU4RecTrainer(GRU4RecConfig(cell="gru", hidden_size=24, blocks=2, **SHAPE)),
    "lstm": GRU4RecTrainer(GRU4RecConfig(cell="lstm", hidden_size=24, **SHAPE)),
    "convolution": NextItNetTrainer(NextItNetConfig(blocks=3, **SHAPE)),
}
FORMER = Path(__file__).parents[1] / "sasrec_artefact"


@pytest.fixture(params=list(TRAINERS))
def network(request: pytest.FixtureRequest) -> NextItemNetwork:
    """Random weights, large enough that a gate out of place changes the answer."""
    trainer = TRAINERS[request.param]
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(3)
        drawn = NextItemNetwork(trainer.config, 30, trainer._build_mixer).eval()
        for parameter in drawn.parameters():
            torch.nn.init.normal_(parameter, std=0.3)
    return drawn


def vectors(length: int) -> Float32Array:
    return np.random.default_rng(length).normal(size=(5, length, SIZE)).astype(np.float32)


def learned(network: NextItemNetwork, given: Float32Array) -> Float32Array:
    with torch.no_grad():
        states = network(torch.from_numpy(given))[:, -1]
    return np.asarray(torch.nn.functional.normalize(states, dim=-1).numpy())


def served(content: bytes, given: Float32Array) -> Float32Array:
    session = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
    answer: Float32Array = session.run(None, {"vectors": given})[0]
    return answer


@pytest.mark.parametrize("length", [1, 2, 5, HISTORY])
def test_the_graph_computes_what_the_network_computes(network: NextItemNetwork, length: int) -> None:
    given = vectors(length)
    graph = export_float32(network).SerializeToString()
    np.testing.assert_allclose(served(graph, given), learned(network, given), atol=2e-5)


@pytest.mark.parametrize("length", [1, HISTORY])
def test_whole_numbers_of_eight_bits_cost_little(network: NextItemNetwork, length: int) -> None:
    given = vectors(length)
    cosine = (served(export_int8(network), given) * learned(network, given)).sum(axis=1)
    assert cosine.min() > 0.99


def test_every_matrix_is_stored_in_eight_bits(network: NextItemNetwork) -> None:
    stored = onnx.load_from_string(export_int8(network)).graph.initializer
    small = [tensor.name for tensor in stored if tensor.data_type == onnx.TensorProto.INT8]
    wide = [
        tensor.name
        for tensor in stored
        if tensor.data_type == onnx.TensorProto.FLOAT and np.prod(tensor.dims) >= SIZE * SIZE
    ]
    assert len(small) >= 3
    assert {name.split("_")[-1] for name in wide} <= {"embedding", "mask"}


def test_no_place_sees_a_later_one(network: NextItemNetwork) -> None:
    given = vectors(HISTORY)
    changed = given.copy()
    changed[:, 6:] *= -1
    with torch.no_grad():
        before, after = (network(torch.from_numpy(each)).numpy() for each in (given, changed))
    np.testing.assert_allclose(before[:, :6], after[:, :6], atol=1e-5)
    assert np.abs(before[:, 6:] - after[:, 6:]).max() > 0.01


def test_a_later_place_sees_an_earlier_one(network: NextItemNetwork) -> None:
    given = vectors(4)
    changed = given.copy()
    changed[:, 1] *= -1
    with torch.no_grad():
        before, after = (network(torch.from_numpy(each)).numpy() for each in (given, changed))
    assert np.abs(before[:, 3] - after[:, 3]).max() > 0.01


def test_lstm_cells_learn_the_checkerboard_too(board: Dataset) -> None:
    model = GRU4RecTrainer(GRU4RecConfig(cell="lstm", hidden_size=16, **QUICK))
    model.fit(board, np.random.default_rng(0))
    answer = model.recommend(Histories.from_lists([[0, 4, 2], [1, 7, 3]]), 5)
    assert (answer.items % 2 == [[0], [1]]).all()


def test_a_transformer_of_the_first_format_loads_and_scores_as_it_did() -> None:
    scores = SASRec.load(FORMER).score(Histories.from_lists([[0, 2, 4], [1], []]))
    expected = [
        [0.846, -0.586, 0.772, -0.544, 0.768, -0.643],
        [-0.331, 0.91, -0.276, 0.824, -0.331, 0.918],
        [0.0] * 6,
    ]
    np.testing.assert_allclose(scores[:, :6], expected, atol=0.02)
