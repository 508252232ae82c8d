"""Networks learned at a constant rate end with the mean of their last rounds."""

from __future__ import annotations

import numpy as np
import torch

from recommender.algorithms.sequential.attention import CausalSelfAttention
from recommender.algorithms.sequential.network import NextItemNetwork
from recommender.algorithms.sequential.optimization import WeightAverager
from recommender.algorithms.sequential.sasrec import SASRecConfig


def network() -> NextItemNetwork:
    config = SASRecConfig(dimensions=4)
    return NextItemNetwork(config, 6, lambda _block: CausalSelfAttention(config))


def test_the_mean_of_two_moments_is_installed() -> None:
    learned = network()
    average = WeightAverager(learned)
    for value in (1.0, 4.0):
        with torch.no_grad():
            for weight in learned.parameters():
                weight.fill_(value)
        average.add_snapshot()
    with torch.no_grad():
        learned.position_embedding.fill_(9.0)
    average.install_mean()
    assert all(torch.equal(weight, torch.full_like(weight, 2.5)) for weight in learned.parameters())


def test_without_a_moment_the_weights_stay() -> None:
    learned = network()
    before = [weight.detach().clone() for weight in learned.parameters()]
    WeightAverager(learned).install_mean()
    assert all(torch.equal(old, new) for old, new in zip(before, learned.parameters(), strict=True))


def test_facts_are_part_of_the_table_that_is_served() -> None:
    config = SASRecConfig(dimensions=4)
    facts = np.eye(6, 3, dtype=np.float32)
    learned = NextItemNetwork(config, 6, lambda _block: CausalSelfAttention(config), facts)
    own = learned.item_embedding.weight.detach().numpy()[:6]
    told = facts @ learned.feature_projection.weight.detach().numpy().T
    np.testing.assert_allclose(learned.get_item_embeddings(), own + told, atol=1e-6)
