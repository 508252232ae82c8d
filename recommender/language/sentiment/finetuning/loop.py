"""The loop that tunes a network to labelled reviews. Loads torch: workers and commands only."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from recommender.types import BoolArray, Float32Array, Int32Array, ProgressCallback, ignore_progress

InputBuilder = Callable[[Sequence[Int32Array]], Mapping[str, np.ndarray[Any, Any]]]
_LABEL_SMOOTHING = 0.05  # labels of reviews are stars and clicks: a twentieth is taken for chance
_MAX_EMA_DECAY, _EMA_INTERVAL = 0.995, 5


@dataclass(frozen=True)
class FinetuneSchedule:
    """`rate` says how fast the parameter of a name learns at its fastest; `warm` is how many steps it takes to get there."""

    epochs: int
    batch_size: int
    learning_rate: Callable[[str], float]
    warmup_steps: int = 200


def train_network(
    network: nn.Module,
    token_ids: Sequence[Int32Array],
    is_positive: BoolArray,
    *,
    build_inputs: InputBuilder,
    schedule: FinetuneSchedule,
    rng: np.random.Generator,
    report: ProgressCallback = ignore_progress,
) -> dict[str, Float32Array]:
    """The mean of the late weights, float32, by name of each parameter that learned: more even than the last ones.

    `inputs` makes of some rows what the network is called with; it answers with log-odds (rows)."""
    learning = {name: value for name, value in network.named_parameters() if value.requires_grad}
    optimiser = torch.optim.AdamW(
        [{"params": [value], "base": schedule.learning_rate(name)} for name, value in learning.items()],
        weight_decay=1e-2,
        fused=True,
    )
    mean = {name: value.detach().clone() for name, value in learning.items()}
    steps = schedule.epochs * math.ceil(len(token_ids) / schedule.batch_size)
    warm = min(schedule.warmup_steps, math.ceil(steps / 10))
    network.train()
    for step, part in enumerate(_iter_batches(token_ids, rng, schedule)):
        for group in optimiser.param_groups:
            group["lr"] = group["base"] * min(1.0, (step + 1) / warm) * (1 - step / steps)
        given = as_tensors(build_inputs([token_ids[row] for row in part]))
        optimiser.zero_grad()
        _compute_loss(network, given, is_positive[part]).backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(learning.values(), 1.0)
        optimiser.step()
        if step % _EMA_INTERVAL == 0 or step == steps - 1:
            share = 1 - min(_MAX_EMA_DECAY, step / (step + 500))
            for name, value in learning.items():
                mean[name].lerp_(value.detach(), share)
            report("network", step / steps)
    report("network", 1.0)
    return {name: value.numpy() for name, value in mean.items()}


def _compute_loss(network: nn.Module, inputs: Mapping[str, Tensor], is_positive: BoolArray) -> Tensor:
    wanted = torch.from_numpy(is_positive.astype(np.float32)) * (1 - _LABEL_SMOOTHING) + _LABEL_SMOOTHING / 2
    with torch.autocast("cpu", torch.bfloat16):
        said: Tensor = network(**inputs)
    return functional.binary_cross_entropy_with_logits(said.float(), wanted)


def as_tensors(arrays: Mapping[str, np.ndarray[Any, Any]]) -> dict[str, Tensor]:
    return {name: torch.from_numpy(value) for name, value in arrays.items()}


def _iter_batches(
    token_ids: Sequence[Int32Array], rng: np.random.Generator, schedule: FinetuneSchedule
) -> Iterator[list[int]]:
    """Texts of about one length together, so that little is padded; in another order each epoch."""
    lengths, size = np.array([row.size for row in token_ids]), schedule.batch_size
    for _ in range(schedule.epochs):
        order = np.argsort(lengths + rng.random(lengths.size) * 6, kind="stable")
        parts = [order[start : start + size] for start in range(0, order.size, size)]
        for place in rng.permutation(len(parts)):
            yield parts[place].tolist()
