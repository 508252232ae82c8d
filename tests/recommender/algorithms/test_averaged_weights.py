"""Networks trained at a constant rate end with the mean weights of their last epochs."""

from __future__ import annotations

import numpy as np
import torch

from recommender.algorithms.sequential.attention import CausalSelfAttention
from recommender.algorithms.sequential.network import NextItemNetwork
from recommender.algorithms.sequential.optimization import WeightAverager
from recommender.algorithms.sequential.sasrec import SASRecConfig


def make_network() -> NextItemNetwork:
    config = SASRecConfig(dimensions=4)
    return NextItemNetwork(config, 6, lambda _block: CausalSelfAttention(config))


def test_the_mean_of_two_snapshots_is_installed() -> None:
    model = make_network()
    averager = WeightAverager(model)
    for value in (1.0, 4.0):
        with torch.no_grad():
            for weight in model.parameters():
                weight.fill_(value)
        averager.add_snapshot()
    with torch.no_grad():
        model.position_embedding.fill_(9.0)
    averager.install_mean()
    assert all(torch.equal(weight, torch.full_like(weight, 2.5)) for weight in model.parameters())


def test_without_a_snapshot_the_weights_stay() -> None:
    model = make_network()
    before = [weight.detach().clone() for weight in model.parameters()]
    WeightAverager(model).install_mean()
    assert all(
        torch.equal(expected, actual) for expected, actual in zip(before, model.parameters(), strict=True)
    )


def test_features_are_part_of_the_exported_embeddings() -> None:
    config = SASRecConfig(dimensions=4)
    features = np.eye(6, 3, dtype=np.float32)
    model = NextItemNetwork(config, 6, lambda _block: CausalSelfAttention(config), features)
    id_embeddings = model.item_embedding.weight.detach().numpy()[:6]
    projected = features @ model.feature_projection.weight.detach().numpy().T
    np.testing.assert_allclose(model.get_item_embeddings(), id_embeddings + projected, atol=1e-6)
