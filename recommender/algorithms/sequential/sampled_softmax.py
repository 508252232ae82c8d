"""What the networks are taught by, written out because autograd would pass over the scores twenty times."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor


class SampledSoftmax(torch.autograd.Function):
    """Mean cross-entropy of the right item among itself and items drawn for the whole batch.

    state, right float32 (n, d) and drawn float32 (k, d) are unit vectors; the score is their cosine over
    `temperature`. `met` (2, m) holds row and column of each drawn item that is the row's right one: it does not
    count. Cosines are at most one, so exp((cosine - 1) / temperature) needs no search for the greatest."""

    @staticmethod
    def forward(
        ctx: Any,
        query: Tensor,
        positive: Tensor,
        negatives: Tensor,
        accidental_hits: Tensor,
        temperature: float,
    ) -> Tensor:
        short_state, short_drawn = query.bfloat16(), negatives.bfloat16()
        wrong = (short_state @ short_drawn.T).float().sub_(1).div_(temperature).exp_()
        wrong[accidental_hits[0], accidental_hits[1]] = 0
        logit = ((query * positive).sum(1) - 1) / temperature
        total = wrong.sum(1) + logit.exp()
        ctx.save_for_backward(query, positive, short_state, short_drawn, wrong, logit, total)
        ctx.temperature = temperature
        return (total.log() - logit).mean()

    @staticmethod
    def backward(ctx: Any, grad_output: Tensor) -> tuple[Tensor, Tensor, Tensor, None, None]:
        state, right, short_state, short_drawn, wrong, logit, total = ctx.saved_tensors
        each = grad_output / (len(state) * ctx.temperature)
        share = (wrong * (each / total)[:, None]).bfloat16()
        missing = ((logit.exp() / total - 1) * each)[:, None]
        return (
            (share @ short_drawn).float() + missing * right,
            missing * state,
            (share.T @ short_state).float(),
            None,
            None,
        )
