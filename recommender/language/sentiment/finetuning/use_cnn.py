"""Tunes the multilingual encoder to labelled reviews. Loads torch: workers and commands only.

The network is that of the Universal Sentence Encoder, multilingual v3 (Yang and others, "Multilingual Universal Sentence
Encoder for Semantic Retrieval", ACL 2020): runs of two, three and five pieces, each read twice. It begins with the
encoder's weights. Its table of pieces stays as it is, so that a head knows all pieces and none by its own."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from safetensors.numpy import load, save
from torch import Tensor, nn
from torch.nn import functional

from recommender.language.encoders.sentencepiece import WIDTH, SentencePieceTokenizer, load_use_backend
from recommender.language.preprocessing.text import clean_text
from recommender.language.sentiment.finetuning.loop import FinetuneSchedule, train_network
from recommender.language.sentiment.finetuning.use_cnn_onnx import (
    CHANNELS,
    EPSILON,
    KERNEL_SIZES,
    LEFT_PADDING,
    POOLED_WIDTH,
    export_use_cnn,
)
from recommender.language.sentiment.onnx_network import OnnxSentimentNetwork
from recommender.language.sentiment.training import validate_training_set
from recommender.types import BoolArray, DataError, Float32Array, ProgressCallback, ignore_progress

NetworkWeights = dict[str, Float32Array]
_BATCH_SIZE = 64
_EPOCHS, _CONTINUED_EPOCHS = 3, 2  # epochs from the encoder, and from a network that knows reviews
_LEARNING_RATE, _HEAD_LEARNING_RATE = 8e-4, 1e-3
# Two views of one text are not two texts; parts of training data that were held out chose this.
_BLEND_WEIGHT = 0.5
_PIECE_DROPOUT, _DROPOUT, _POOLED_DROPOUT = 0.1, 0.1, 0.3


class UseCnn(nn.Module):
    """Parameters carry the names of the exported graph's constants."""

    def __init__(self, weights: NetworkWeights) -> None:
        super().__init__()
        self.weights = nn.ParameterDict(
            {
                name: nn.Parameter(torch.from_numpy(np.array(value, np.float32)))
                for name, value in weights.items()
            }
        )

    def forward(self, pieces: Tensor, attention_mask: Tensor) -> Tensor:
        """(rows, length, WIDTH) and (rows, length, 1) to log-odds (rows)."""
        of, vectors = self.weights, pieces
        if self.training:
            kept = torch.rand_like(attention_mask) >= _PIECE_DROPOUT
            vectors = functional.dropout(vectors * kept / (1 - _PIECE_DROPOUT), _DROPOUT)
        narrow = vectors @ of["project"] + of["project_bias"]
        narrow = functional.layer_norm(
            narrow, narrow.shape[-1:], of["narrow_gain"], of["narrow_bias"], EPSILON
        )
        read = [vectors]
        for run, part in zip(
            KERNEL_SIZES, torch.split(narrow * attention_mask, CHANNELS, dim=-1), strict=True
        ):
            once = (functional.relu(self._apply_convolution(part, run, "first")) + part) * attention_mask
            read.append(functional.relu(self._apply_convolution(once, run, "second")) + once)
        wide = torch.cat(read, dim=-1)
        wide = (
            functional.layer_norm(wide, wide.shape[-1:], of["wide_gain"], of["wide_bias"], EPSILON)
            * attention_mask
        )
        count = attention_mask.sum(1)
        mean = (wide.sum(1) @ of["mean"] + count * of["mean_bias"]) / count.sqrt()
        bent = functional.relu(
            mean @ of["bent"] + functional.relu(mean @ of["bent_first"]) @ of["bent_second"]
        )
        most = (wide + (attention_mask - 1) * 1e4).amax(1)
        pooled = torch.cat([mean, bent, most], dim=-1)
        pooled = functional.dropout(pooled, _POOLED_DROPOUT, self.training)
        said: Tensor = (pooled @ of["praise"] + of["praise_bias"]).squeeze(-1)
        return said

    def _apply_convolution(self, channels: Tensor, kernel_size: int, name: str) -> Tensor:
        weight = self.weights[f"{name}{kernel_size}"].view(kernel_size, CHANNELS, CHANNELS).permute(2, 1, 0)
        before = LEFT_PADDING[kernel_size]
        around = functional.pad(channels.transpose(1, 2), (before, kernel_size - 1 - before))
        return functional.conv1d(around, weight, self.weights[f"{name}{kernel_size}_bias"]).transpose(1, 2)


def fit_use_cnn(
    texts: Sequence[str],
    is_positive: BoolArray,
    *,
    rng: np.random.Generator,
    initial: OnnxSentimentNetwork | None = None,
    report: ProgressCallback = ignore_progress,
) -> OnnxSentimentNetwork:
    """praise[i] says whether text i praises. From the encoder, or with `start` from a network that knows other reviews.

    `report` hears the fraction of the work done. Raises DataError for too few texts or one kind alone."""
    cleaned = [clean_text(text) for text in texts]
    validate_training_set(cleaned, is_positive)
    if initial is not None and initial.tokenizer:
        raise DataError("The network to start from was tuned from another encoder.")
    reading = SentencePieceTokenizer()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(int(rng.integers(2**31)))
        network = UseCnn(load(initial.weights) if initial else load_encoder_weights(rng))
        schedule = FinetuneSchedule(
            _CONTINUED_EPOCHS if initial else _EPOCHS, _BATCH_SIZE, _choose_learning_rate
        )
        learned = train_network(
            network,
            reading.tokenize(cleaned),
            is_positive,
            build_inputs=reading.build_inputs,
            schedule=schedule,
            rng=rng,
            report=report,
        )
    arrays = {name.removeprefix("of."): value for name, value in learned.items()}
    weights = save({name: value.astype(np.float16) for name, value in arrays.items()})
    return OnnxSentimentNetwork(export_use_cnn(arrays), weights, blend_weight=_BLEND_WEIGHT)


def _choose_learning_rate(name: str) -> float:
    return _HEAD_LEARNING_RATE if name.startswith("of.praise") else _LEARNING_RATE


def load_encoder_weights(rng: np.random.Generator) -> NetworkWeights:
    """The encoder's weights under our names, and a head that says next to nothing."""
    of = load_use_backend()
    arrays: NetworkWeights = {
        "project": of.proj_W,
        "project_bias": of.proj_b,
        "narrow_gain": of.ln_g_all,
        "narrow_bias": of.ln_b_all,
        "wide_gain": of.ln_g,
        "wide_bias": of.ln_b,
        "mean": of.cnn_W,
        "mean_bias": of.cnn_b,
        "bent_first": of.d0,
        "bent_second": of.d1,
        "bent": of.p1,
        "praise": rng.normal(0, 0.01, (POOLED_WIDTH, 1)).astype(np.float32),
        "praise_bias": np.zeros(1, np.float32),
    }
    for place, run in enumerate(KERNEL_SIZES):
        arrays |= {
            f"first{run}": of.w1[place],
            f"first{run}_bias": of.b1[place],
            f"second{run}": of.w2[place],
            f"second{run}_bias": of.b2[place],
        }
    assert of.proj_W.shape == (WIDTH, CHANNELS * len(KERNEL_SIZES))  # noqa: S101 - what the package is pinned to
    return arrays
