"""The hand-written loss and gradient equal those of autograd."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from recommender.algorithms.sequential.network import ByteDropout
from recommender.algorithms.sequential.sampled_softmax import SampledSoftmax, find_accidental_hits

TEMPERATURE = 0.2


def make_unit_rows(rows: int, seed: int) -> Tensor:
    negatives = torch.randn(rows, 32, generator=torch.Generator().manual_seed(seed))
    return functional.normalize(negatives, dim=-1).requires_grad_()


def compute_cross_entropy(
    query: Tensor, positive: Tensor, negatives: Tensor, accidental_hits: Tensor
) -> Tensor:
    negative_logits = (query @ negatives.T).index_put(
        (accidental_hits[0], accidental_hits[1]), torch.tensor(-torch.inf)
    )
    logits = torch.cat([(query * positive).sum(1, keepdim=True), negative_logits], dim=1) / TEMPERATURE
    return functional.cross_entropy(logits, torch.zeros(len(logits), dtype=torch.long))


def test_loss_and_gradients_are_those_of_cross_entropy() -> None:
    """Every row's right item is among the drawn ones, which must not count twice."""
    positive = make_unit_rows(40, 2)
    query = functional.normalize(positive + make_unit_rows(40, 1), dim=-1).detach().requires_grad_()
    negatives = torch.cat([positive, make_unit_rows(20, 3)]).detach().requires_grad_()
    inputs = [query, positive, negatives]
    accidental_hits = torch.arange(40).repeat(2, 1)
    loss = SampledSoftmax.apply(*inputs, accidental_hits, TEMPERATURE)
    expected_loss = compute_cross_entropy(*inputs, accidental_hits)
    torch.testing.assert_close(loss, expected_loss, atol=0.02, rtol=0.0)
    gradients = [torch.autograd.grad(one_loss, inputs) for one_loss in (loss, expected_loss)]
    for gradient, expected in zip(*gradients, strict=True):
        assert functional.cosine_similarity(gradient.flatten(), expected.flatten(), dim=0) > 0.999
        torch.testing.assert_close(gradient.norm(), expected.norm(), rtol=0.02, atol=0.0)


def test_accidental_hits_are_negatives_that_equal_the_target() -> None:
    targets, negatives = np.array([5, 1, 9, 2], np.int32), np.array([1, 2, 8], np.int32)
    assert find_accidental_hits(targets, negatives).tolist() == [[1, 3], [0, 1]]


def test_dropout_has_the_configured_rate_and_keeps_the_mean() -> None:
    layer = ByteDropout(0.4)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        output = layer(torch.ones(1000, 103))
    assert abs(float((output == 0).float().mean()) - 0.4) < 0.01
    assert abs(float(output.mean()) - 1) < 0.01


def test_dropout_does_nothing_in_evaluation_mode() -> None:
    inputs = torch.ones(3, 5)
    assert torch.equal(ByteDropout(0.4).eval()(inputs), inputs)
