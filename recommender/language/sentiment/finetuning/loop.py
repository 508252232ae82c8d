"""Fine-tuning loop of sentiment networks. Imports torch, so only workers and commands may import this module."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from recommender.types import (
    BoolArray,
    Float32Array,
    Int32Array,
    ProgressCallback,
    ignore_progress,
)

InputBuilder = Callable[[Sequence[Int32Array]], Mapping[str, np.ndarray[Any, Any]]]
# Labels of reviews are derived from stars and clicks: a twentieth of them is assumed to be random.
_LABEL_SMOOTHING = 0.05
_MAX_EMA_DECAY, _EMA_INTERVAL = 0.995, 5
_LENGTH_JITTER = 6  # tokens


@dataclass(frozen=True)
class FinetuneSchedule:
    """Length and learning rates of a training.

    Attributes:
        epochs: passes over the texts.
        batch_size: texts per step.
        learning_rate: peak learning rate of a parameter by its name.
        warmup_steps: steps of the linear increase to the peak, at most a tenth of all steps; after them the rate
            decreases linearly to zero.
    """

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
    """Trains a network with AdamW and binary cross-entropy; the network itself keeps the last weights.

    Args:
        network: returns log-odds (rows) for the keyword arguments of `build_inputs`.
        token_ids: token ids of each text.
        is_positive: bool (len(token_ids)), the labels.
        build_inputs: makes the inputs of a batch from its token ids.
        schedule: epochs, batch size and learning rates.
        rng: draws the order of the texts; dropout uses torch's generator.
        report: receives the phase "network" and the fraction done.

    Returns:
        By name of each trainable parameter the exponential moving average of its values, float32. It varies less than
        the values of the last step.
    """
    parameters = _get_trainable_parameters(network)
    optimizer = _build_optimizer(parameters, schedule)
    averages = _WeightAverages(parameters)
    steps_per_epoch = math.ceil(len(token_ids) / schedule.batch_size)
    n_steps = schedule.epochs * steps_per_epoch
    warmup_steps = min(schedule.warmup_steps, math.ceil(n_steps / 10))
    network.train()
    for step, rows in enumerate(_iter_batches(token_ids, rng, schedule)):
        warmup = min(1.0, (step + 1) / warmup_steps)
        for group in optimizer.param_groups:
            group["lr"] = group["base"] * warmup * (1 - step / n_steps)
        batch = [token_ids[row] for row in rows]
        inputs = as_tensors(build_inputs(batch))
        optimizer.zero_grad()
        loss = _compute_loss(network, inputs, is_positive[rows])
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(parameters.values(), 1.0)
        optimizer.step()
        is_last_step = step == n_steps - 1
        if step % _EMA_INTERVAL == 0 or is_last_step:
            averages.add_step(step)
            report("network", step / n_steps)
    report("network", 1.0)
    return averages.to_arrays()


def _get_trainable_parameters(network: nn.Module) -> dict[str, nn.Parameter]:
    parameters = {}
    for name, value in network.named_parameters():
        if value.requires_grad:
            parameters[name] = value
    return parameters


class _WeightAverages:
    """Exponential moving averages of parameters."""

    def __init__(self, parameters: Mapping[str, nn.Parameter]) -> None:
        self._parameters = parameters
        self._averages = dict[str, Tensor]()
        for name, value in parameters.items():
            self._averages[name] = value.detach().clone()

    def add_step(self, step: int) -> None:
        # A decay that grows from 0: the average soon forgets the initial weights.
        decay = min(_MAX_EMA_DECAY, step / (step + 500))
        for name, value in self._parameters.items():
            self._averages[name].lerp_(value.detach(), 1 - decay)

    def to_arrays(self) -> dict[str, Float32Array]:
        arrays = {}
        for name, value in self._averages.items():
            arrays[name] = value.numpy()
        return arrays


def _build_optimizer(
    parameters: Mapping[str, nn.Parameter], schedule: FinetuneSchedule
) -> torch.optim.Optimizer:
    # A group per parameter, because each has its own learning rate; "base" is the peak rate.
    groups: list[dict[str, Any]] = []
    for name, value in parameters.items():
        peak_rate = schedule.learning_rate(name)
        groups.append({"params": [value], "base": peak_rate})
    return torch.optim.AdamW(groups, weight_decay=1e-2, fused=True)


def _compute_loss(network: nn.Module, inputs: Mapping[str, Tensor], is_positive: BoolArray) -> Tensor:
    labels = torch.from_numpy(is_positive.astype(np.float32))
    targets = labels * (1 - _LABEL_SMOOTHING) + _LABEL_SMOOTHING / 2
    with torch.autocast("cpu", torch.bfloat16):
        logits: Tensor = network(**inputs)
    return functional.binary_cross_entropy_with_logits(logits.float(), targets)


def as_tensors(arrays: Mapping[str, np.ndarray[Any, Any]]) -> dict[str, Tensor]:
    """Returns tensors that share the memory of the arrays."""
    tensors = {}
    for name, value in arrays.items():
        tensors[name] = torch.from_numpy(value)
    return tensors


def _iter_batches(
    token_ids: Sequence[Int32Array],
    rng: np.random.Generator,
    schedule: FinetuneSchedule,
) -> Iterator[list[int]]:
    """Rows of texts of similar length, which need little padding; batches and their order differ by epoch."""
    lengths = np.array([row.size for row in token_ids])
    batch_size = schedule.batch_size
    for _ in range(schedule.epochs):
        # Random noise on the lengths mixes texts of nearly the same length.
        noise = rng.random(lengths.size) * _LENGTH_JITTER
        order = np.argsort(lengths + noise, kind="stable")
        starts = np.arange(0, order.size, batch_size)
        shuffled = rng.permutation(len(starts))
        for start in starts[shuffled]:
            rows = order[start : start + batch_size]
            yield rows.tolist()
