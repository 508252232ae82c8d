"""The training loss of the networks: softmax over the next item and shared negatives.

Imports torch, so only training processes may import this module.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from recommender.algorithms.sequential.network import NextItemNetwork
from recommender.types import Int32Array, Int64Array


class SampledSoftmax(torch.autograd.Function):
    """Mean cross-entropy of the next item among itself and negatives that the whole batch shares.

    The score of an item is its cosine with the query over `temperature`. As a cosine is at most one,
    exp((cosine - 1) / temperature) can't overflow, and the usual search for the greatest score is left out. The
    gradient is written out because autograd would read and write the score matrix about twenty times.
    """

    @staticmethod
    def forward(
        ctx: Any,
        query: Tensor,
        positive: Tensor,
        negatives: Tensor,
        accidental_hits: Tensor,
        temperature: float,
    ) -> Tensor:
        """Computes the loss.

        Args:
            ctx: autograd's context.
            query: Predictions, unit rows, float32 (n, dimensions).
            positive: Embeddings of the next items, unit rows, float32 (n, dimensions).
            negatives: Embeddings of the sampled items, unit rows, float32 (k, dimensions).
            accidental_hits: int64 (2, m) from `find_accidental_hits`: negatives that are a row's own next item and do
                not count there.
            temperature: Divisor of the cosines.
        """
        # The product (n, k) dominates the time; bfloat16 halves it.
        query_16, negatives_16 = query.bfloat16(), negatives.bfloat16()
        negative_exp = (query_16 @ negatives_16.T).float().sub_(1).div_(temperature).exp_()
        negative_exp[accidental_hits[0], accidental_hits[1]] = 0
        positive_logit = ((query * positive).sum(1) - 1) / temperature
        total = negative_exp.sum(1) + positive_logit.exp()
        ctx.save_for_backward(
            query,
            positive,
            query_16,
            negatives_16,
            negative_exp,
            positive_logit,
            total,
        )
        ctx.temperature = temperature
        return (total.log() - positive_logit).mean()

    @staticmethod
    def backward(
        ctx: Any,
        grad_output: Tensor,
    ) -> tuple[Tensor, Tensor, Tensor, None, None]:
        """Returns the gradients of query, positive and negatives."""
        query, positive, query_16, negatives_16, negative_exp, positive_logit, total = ctx.saved_tensors
        # Factor of the mean over rows and of the temperature.
        row_scale = grad_output / (len(query) * ctx.temperature)
        # d loss / d logit is the softmax probability, minus one for the positive.
        negative_grad = (negative_exp * (row_scale / total)[:, None]).bfloat16()
        positive_grad = ((positive_logit.exp() / total - 1) * row_scale)[:, None]
        return (
            (negative_grad @ negatives_16).float() + positive_grad * positive,
            positive_grad * query,
            (negative_grad.T @ query_16).float(),
            None,
            None,
        )


def find_accidental_hits(
    targets: Int32Array,
    negatives: Int32Array,
) -> Int64Array:
    """Finds negatives that equal a row's target: int64 (2, m), positions in `targets` and in `negatives`.

    Args:
        targets: Next items, int32 (n).
        negatives: Sampled items, int32 (k), distinct and ascending.
    """
    position = np.minimum(np.searchsorted(negatives, targets), len(negatives) - 1)
    rows = np.flatnonzero(negatives[position] == targets)
    return np.stack([rows, position[rows]])


def compute_next_item_loss(
    network: NextItemNetwork,
    padded_items: Int32Array,
    negatives: Int32Array,
    *,
    padding_idx: int,
    temperature: float,
) -> Tensor:
    """Computes the mean cross-entropy of the next items of a batch.

    Args:
        network: The network to train.
        padded_items: int32 (rows, length), padded at the end.
        negatives: Sampled items, distinct and ascending.
        padding_idx: The item number of the padding.
        temperature: Divisor of the cosines.
    """
    n_padded = padded_items.size
    # One look-up for all items: each look-up's gradient is as large as the whole table.
    items = torch.from_numpy(np.concatenate([padded_items.ravel(), negatives]))
    embeddings = network.embed_items(items)
    inputs = embeddings[:n_padded].view(*padded_items.shape, -1)
    targets = padded_items[:, 1:]
    is_target = targets != padding_idx
    with torch.autocast("cpu", torch.bfloat16):
        predictions = network(inputs[:, :-1])
    query = functional.normalize(predictions[is_target].float(), dim=-1)
    positive = functional.normalize(inputs[:, 1:][is_target].float(), dim=-1)
    negative = functional.normalize(embeddings[n_padded:].float(), dim=-1)
    accidental_hits = torch.from_numpy(find_accidental_hits(targets[is_target], negatives))
    # torch has no type annotation for autograd.Function.apply.
    loss: Tensor = SampledSoftmax.apply(  # type: ignore[no-untyped-call]
        query,
        positive,
        negative,
        accidental_hits,
        temperature,
    )
    return loss
