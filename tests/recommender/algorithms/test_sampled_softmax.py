"""The loss written out is the one autograd knows."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from recommender.algorithms.sequential.network import ByteDropout
from recommender.algorithms.sequential.sampled_softmax import SampledSoftmax, find_accidental_hits

TEMPERATURE = 0.2


def unit(rows: int, seed: int) -> Tensor:
    drawn = torch.randn(rows, 32, generator=torch.Generator().manual_seed(seed))
    return functional.normalize(drawn, dim=-1).requires_grad_()


def plain(state: Tensor, right: Tensor, drawn: Tensor, met: Tensor) -> Tensor:
    wrong = (state @ drawn.T).index_put((met[0], met[1]), torch.tensor(-torch.inf))
    logits = torch.cat([(state * right).sum(1, keepdim=True), wrong], dim=1) / TEMPERATURE
    return functional.cross_entropy(logits, torch.zeros(len(logits), dtype=torch.long))


def test_loss_and_slopes_are_those_of_cross_entropy() -> None:
    """Every row's right item is among the drawn ones, which must not count twice."""
    right = unit(40, 2)
    state = functional.normalize(right + unit(40, 1), dim=-1).detach().requires_grad_()
    drawn = torch.cat([right, unit(20, 3)]).detach().requires_grad_()
    parts = [state, right, drawn]
    met = torch.arange(40).repeat(2, 1)
    ours = SampledSoftmax.apply(*parts, met, TEMPERATURE)
    theirs = plain(*parts, met)
    torch.testing.assert_close(ours, theirs, atol=0.02, rtol=0.0)
    slopes = [torch.autograd.grad(loss, parts) for loss in (ours, theirs)]
    for mine, known in zip(*slopes, strict=True):
        assert functional.cosine_similarity(mine.flatten(), known.flatten(), dim=0) > 0.999
        torch.testing.assert_close(mine.norm(), known.norm(), rtol=0.02, atol=0.0)


def test_meetings_are_where_a_drawn_item_is_the_wanted_one() -> None:
    wanted, drawn = np.array([5, 1, 9, 2], np.int32), np.array([1, 2, 8], np.int32)
    assert find_accidental_hits(wanted, drawn).tolist() == [[1, 3], [0, 1]]


def test_dropout_hides_the_given_share_and_keeps_the_mean() -> None:
    layer = ByteDropout(0.4)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        out = layer(torch.ones(1000, 103))
    assert abs(float((out == 0).float().mean()) - 0.4) < 0.01
    assert abs(float(out.mean()) - 1) < 0.01


def test_dropout_hides_nothing_once_learned() -> None:
    given = torch.ones(3, 5)
    assert torch.equal(ByteDropout(0.4).eval()(given), given)
