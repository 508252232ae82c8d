"""Fine-tunes the multilingual encoder to labelled reviews. Imports torch, so only workers and commands may import this module.

The network is that of the Universal Sentence Encoder, multilingual v3 (Yang and others, "Multilingual Universal Sentence
Encoder for Semantic Retrieval", ACL 2020): convolutions over two, three and five pieces, two layers of each, initialised
with the encoder's weights. The piece embeddings are not trained, so pieces that occur in no training text keep theirs."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from safetensors.numpy import load, save
from torch import Tensor, nn
from torch.nn import functional

from recommender.language.encoders.sentencepiece import (
    WIDTH,
    SentencePieceTokenizer,
)
from recommender.language.encoders.use import load_use_backend
from recommender.language.preprocessing.text import clean_text
from recommender.language.sentiment.finetuning.loop import (
    FinetuneSchedule,
    train_network,
)
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
from recommender.types import (
    BoolArray,
    DataError,
    Float32Array,
    ProgressCallback,
    ignore_progress,
)

NetworkWeights = dict[str, Float32Array]
_BATCH_SIZE = 64
_EPOCHS = 3
_CONTINUED_EPOCHS = 2  # from a network that was tuned to other reviews
_LEARNING_RATE, _HEAD_LEARNING_RATE = 8e-4, 1e-3
# Below 1, because linear model and network see the same text; chosen on held-out parts of training data.
_BLEND_WEIGHT = 0.5
_PIECE_DROPOUT, _DROPOUT, _POOLED_DROPOUT = 0.1, 0.1, 0.3
_PREFIX = "weights."  # of UseCnn's parameters: the name of its ParameterDict


class UseCnn(nn.Module):
    """Convolutional sentiment network. Keys of `weights` are the names of the constants in the exported graph."""

    def __init__(self, weights: NetworkWeights) -> None:
        super().__init__()
        self.weights = nn.ParameterDict()
        for name, value in weights.items():
            # A copy: training must not change the arrays of the encoder's package.
            tensor = torch.from_numpy(np.array(value, np.float32))
            self.weights[name] = nn.Parameter(tensor)

    def forward(self, pieces: Tensor, attention_mask: Tensor) -> Tensor:
        """Maps embeddings (rows, length, WIDTH) and mask (rows, length, 1) to log-odds (rows)."""
        weights = self.weights
        vectors = pieces
        if self.training:
            # Whole pieces are dropped first, then single components.
            is_retained = torch.rand_like(attention_mask) >= _PIECE_DROPOUT
            vectors = vectors * is_retained / (1 - _PIECE_DROPOUT)
            vectors = functional.dropout(vectors, _DROPOUT)
        features = self._convolve(vectors, attention_mask)
        n_pieces = attention_mask.sum(1)
        # The encoder's pooling: sums of a linear projection over the square root of the length.
        projected = features.sum(1) @ weights["mean"] + n_pieces * weights["mean_bias"]
        mean = projected / n_pieces.sqrt()
        hidden = functional.relu(mean @ weights["hidden_first"])
        hidden = hidden @ weights["hidden_second"]
        residual = functional.relu(mean @ weights["residual"] + hidden)
        # A large negative number in the padding keeps it out of the maximum.
        penalty = (attention_mask - 1) * 1e4
        max_pooled = (features + penalty).amax(1)
        pooled = torch.cat([mean, residual, max_pooled], dim=-1)
        pooled = functional.dropout(pooled, _POOLED_DROPOUT, self.training)
        logits: Tensor = pooled @ weights["output_weight"] + weights["output_bias"]
        return logits.squeeze(-1)

    def _convolve(self, vectors: Tensor, attention_mask: Tensor) -> Tensor:
        """Embeddings and the outputs of the three convolution stacks: (rows, length, WIDTH + 3 * CHANNELS)."""
        narrow = vectors @ self.weights["project"] + self.weights["project_bias"]
        narrow = self._normalize(narrow, "narrow") * attention_mask
        outputs = [vectors]
        groups = torch.split(narrow, CHANNELS, dim=-1)
        for kernel_size, group in zip(KERNEL_SIZES, groups, strict=True):
            convolved = self._apply_convolution(group, kernel_size, "first")
            once = (functional.relu(convolved) + group) * attention_mask
            convolved = self._apply_convolution(once, kernel_size, "second")
            outputs.append(functional.relu(convolved) + once)
        return self._normalize(torch.cat(outputs, dim=-1), "wide") * attention_mask

    def _normalize(self, values: Tensor, name: str) -> Tensor:
        gain, bias = self.weights[f"{name}_gain"], self.weights[f"{name}_bias"]
        return functional.layer_norm(values, values.shape[-1:], gain, bias, EPSILON)

    def _apply_convolution(self, channels: Tensor, kernel_size: int, name: str) -> Tensor:
        # The encoder stores (kernel_size * in, out); conv1d needs (out, in, kernel_size) and (rows, channels, length).
        weight = self.weights[f"{name}{kernel_size}"]
        weight = weight.view(kernel_size, CHANNELS, CHANNELS).permute(2, 1, 0)
        bias = self.weights[f"{name}{kernel_size}_bias"]
        n_left = LEFT_PADDING[kernel_size]
        n_right = kernel_size - 1 - n_left
        padded = functional.pad(channels.transpose(1, 2), (n_left, n_right))
        convolved = functional.conv1d(padded, weight, bias)
        return convolved.transpose(1, 2)


def fit_use_cnn(
    texts: Sequence[str],
    is_positive: BoolArray,
    *,
    rng: np.random.Generator,
    initial: OnnxSentimentNetwork | None = None,
    report: ProgressCallback = ignore_progress,
) -> OnnxSentimentNetwork:
    """Fine-tunes the multilingual encoder.

    Args:
        texts: training texts; they are cleaned here.
        is_positive: bool (len(texts)), the labels.
        rng: draws initial output weights, batches and torch's seed.
        initial: a network of this function to continue from; None starts from the encoder's weights.
        report: receives the phase "network" and the fraction done.

    Raises:
        DataError: too few texts, only one label, or an initial network of another encoder.
    """
    cleaned = list(map(clean_text, texts))
    validate_training_set(cleaned, is_positive)
    if initial is not None and initial.tokenizer:
        raise DataError("The network to start from was tuned from another encoder.")
    tokenizer = SentencePieceTokenizer()
    # fork_rng restores the state of torch's global generator afterwards.
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(int(rng.integers(2**31)))
        network = UseCnn(load(initial.weights) if initial else load_encoder_weights(rng))
        schedule = FinetuneSchedule(
            epochs=_CONTINUED_EPOCHS if initial else _EPOCHS,
            batch_size=_BATCH_SIZE,
            learning_rate=_choose_learning_rate,
        )
        averages = train_network(
            network,
            tokenizer.tokenize(cleaned),
            is_positive,
            build_inputs=tokenizer.build_inputs,
            schedule=schedule,
            rng=rng,
            report=report,
        )
    weights = {}
    stored_weights = {}
    for parameter_name, value in averages.items():
        name = parameter_name.removeprefix(_PREFIX)
        weights[name] = value
        stored_weights[name] = value.astype(np.float16)
    return OnnxSentimentNetwork(
        graph=export_use_cnn(weights),
        weights=save(stored_weights),
        blend_weight=_BLEND_WEIGHT,
    )


def _choose_learning_rate(name: str) -> float:
    if name.startswith(f"{_PREFIX}output_"):
        return _HEAD_LEARNING_RATE
    return _LEARNING_RATE


def load_encoder_weights(rng: np.random.Generator) -> NetworkWeights:
    """Returns the encoder's weights under the names of `UseCnn`, and random output weights near zero."""
    backend = load_use_backend()
    weights: NetworkWeights = {
        "project": backend.proj_W,
        "project_bias": backend.proj_b,
        "narrow_gain": backend.ln_g_all,
        "narrow_bias": backend.ln_b_all,
        "wide_gain": backend.ln_g,
        "wide_bias": backend.ln_b,
        "mean": backend.cnn_W,
        "mean_bias": backend.cnn_b,
        "hidden_first": backend.d0,
        "hidden_second": backend.d1,
        "residual": backend.p1,
        "output_weight": rng.normal(0, 0.01, (POOLED_WIDTH, 1)).astype(np.float32),
        "output_bias": np.zeros(1, np.float32),
    }
    for index, kernel_size in enumerate(KERNEL_SIZES):
        weights |= {
            f"first{kernel_size}": backend.w1[index],
            f"first{kernel_size}_bias": backend.b1[index],
            f"second{kernel_size}": backend.w2[index],
            f"second{kernel_size}_bias": backend.b2[index],
        }
    # The package is pinned to a version with these shapes.
    assert backend.proj_W.shape == (WIDTH, CHANNELS * len(KERNEL_SIZES))  # noqa: S101
    return weights
