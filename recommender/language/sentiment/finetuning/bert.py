"""Tunes a BERT to labelled reviews. Loads torch and transformers: workers and commands only.

Devlin and others, "BERT: Pre-training of Deep Bidirectional Transformers", NAACL 2019. Its table of words stays as it is:
what a few thousand reviews say must not move the words that they do not use."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load, save
from torch import Tensor, nn
from torch.nn import functional

from recommender.language.encoders.huggingface import load_pretrained
from recommender.language.encoders.wordpiece import MAX_TOKENS, WordPieceTokenizer
from recommender.language.preprocessing.text import clean_text
from recommender.language.sentiment.finetuning.bert_onnx import (
    BertShape,
    BertWeights,
    export_bert,
    quantize_model,
)
from recommender.language.sentiment.finetuning.loop import FinetuneSchedule, train_network
from recommender.language.sentiment.onnx_network import OnnxSentimentNetwork
from recommender.language.sentiment.training import validate_training_set
from recommender.types import BoolArray, DataError, Float32Array, ProgressCallback, ignore_progress

_BATCH_SIZE = 32
_EPOCHS = 2
_LEARNING_RATE, _HEAD_LEARNING_RATE = 2e-4, 1e-3
_LAYER_LR_DECAY = 0.85  # a layer learns that much slower than the one above it
_MASKING_RATE = 0.1
_BLEND_WEIGHT = 1.0  # beside the words; parts of training data that were held out chose it
_TABLE_HASH_KEY = "table"
Float16Array = NDArray[np.float16]
UInt8Array = NDArray[np.uint8]


class BertSentiment(nn.Module):
    """A BERT and one linear layer over the mean of its last layer and the vector of the opening mark."""

    def __init__(self, model: Any, mask_token_id: int, rng: np.random.Generator) -> None:
        super().__init__()
        self.bert, self._mask_token_id = model, mask_token_id
        self.bert.pooler = None
        # The gradients of this one take two thirds of the time of the fused one's.
        self.bert.set_attn_implementation("eager")
        for part in self.bert.modules():
            if isinstance(part, nn.Dropout):
                part.p = 0.0  # masked tokens do its work in half of the time
        self.bert.embeddings.word_embeddings.weight.requires_grad_(False)
        weight = rng.normal(0, 0.02, (2 * model.config.hidden_size, 1)).astype(np.float32)
        self.output_weight = nn.Parameter(torch.from_numpy(weight))
        self.output_bias = nn.Parameter(torch.zeros(1))

    def forward(self, tokens: Tensor, attention_mask: Tensor) -> Tensor:
        """(rows, length) and (rows, length, 1) to log-odds (rows)."""
        if self.training:
            inner = functional.pad(
                attention_mask[:, 2:, 0] > 0, (1, 1)
            )  # all but the marks of beginning and end
            tokens = torch.where(
                inner & (torch.rand(tokens.shape) < _MASKING_RATE), self._mask_token_id, tokens
            )
        hidden = self.bert(
            input_ids=tokens, attention_mask=attention_mask.squeeze(-1).long()
        ).last_hidden_state
        mean = (hidden * attention_mask).sum(1) / attention_mask.sum(1)
        pooled = torch.cat([mean, hidden[:, 0]], dim=-1)
        said: Tensor = (pooled @ self.output_weight + self.output_bias).squeeze(-1)
        return said


def fit_bert(
    texts: Sequence[str],
    is_positive: BoolArray,
    *,
    folder: Path,
    rng: np.random.Generator,
    initial: OnnxSentimentNetwork | None = None,
    report: ProgressCallback = ignore_progress,
) -> OnnxSentimentNetwork:
    """praise[i] says whether text i praises. `folder` holds a BERT and its tokenizer as transformers saves them; with
    `start` the training goes on from a network tuned from the same folder.

    `report` hears the fraction of the work done. Raises DataError for too few texts, one kind alone, another
    architecture."""
    cleaned = [clean_text(text) for text in texts]
    validate_training_set(cleaned, is_positive)
    network, tokenizer = load_bert_network(folder, rng, initial)
    reading = WordPieceTokenizer(tokenizer)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(int(rng.integers(2**31)))
        learned = train_network(
            network,
            reading.tokenize(cleaned),
            is_positive,
            build_inputs=reading.build_inputs,
            schedule=FinetuneSchedule(
                _EPOCHS, _BATCH_SIZE, _build_learning_rate(network.bert.config.num_hidden_layers)
            ),
            rng=rng,
            report=report,
        )
    _copy_weights(network, learned)
    graph = quantize_model(export_bert(collect_weights(network), derive_shape(network)))
    kept: dict[str, Float16Array | UInt8Array] = {
        name: value.astype(np.float16) for name, value in learned.items()
    }
    return OnnxSentimentNetwork(
        graph, save({**kept, _TABLE_HASH_KEY: _hash_word_table(network)}), tokenizer, _BLEND_WEIGHT
    )


def load_bert_network(
    folder: Path, rng: np.random.Generator, initial: OnnxSentimentNetwork | None = None
) -> tuple[BertSentiment, bytes]:
    """The network before it learns, and the content of its tokenizer. Raises DataError."""
    tokenizer, model = load_pretrained(folder)
    config = model.config
    marks = [tokenizer.cls_token_id, tokenizer.sep_token_id, tokenizer.mask_token_id]
    fits = (
        config.model_type == "bert"
        and config.hidden_act == "gelu"
        and not config.is_decoder
        and config.max_position_embeddings >= MAX_TOKENS
        and tokenizer.is_fast
        and None not in marks
        and len(tokenizer) <= config.vocab_size
    )
    content = tokenizer.backend_tokenizer.to_str().encode() if fits else b""
    if not fits or WordPieceTokenizer(content).tokenize([""])[0].tolist() != marks[:2]:
        raise DataError(
            f"{folder} holds no BERT that a network could be tuned from: one with a fast tokenizer of its own, "
            f"which marks beginning and end, and room for {MAX_TOKENS} tokens."
        )
    network = BertSentiment(model, tokenizer.mask_token_id, rng)
    if initial is not None:
        _load_checkpoint(network, initial)
    return network, content


def _load_checkpoint(network: BertSentiment, initial: OnnxSentimentNetwork) -> None:
    try:
        known = load(initial.weights)
    except SafetensorError as fault:
        raise DataError("The weights of the network to start from cannot be read.") from fault
    table = known.pop(_TABLE_HASH_KEY, None)
    wanted = {name: value.shape for name, value in network.named_parameters() if value.requires_grad}
    if table is None or {name: value.shape for name, value in known.items()} != wanted:
        raise DataError("The network to start from was tuned from another encoder.")
    if table.tobytes() != _hash_word_table(network).tobytes():
        raise DataError("The network to start from was tuned from another encoder of the same shape.")
    _copy_weights(network, {name: value.astype(np.float32) for name, value in known.items()})


def _copy_weights(network: BertSentiment, weights: Mapping[str, Float32Array]) -> None:
    network.load_state_dict({name: torch.from_numpy(value) for name, value in weights.items()}, strict=False)


def _hash_word_table(network: BertSentiment) -> UInt8Array:
    """SHA-256 of the table of words, which a network does not keep with what it learned."""
    table = _to_array(network.bert.embeddings.word_embeddings.weight)
    return np.frombuffer(hashlib.sha256(table.tobytes()).digest(), np.uint8)


def _build_learning_rate(n_layers: int) -> Callable[[str], float]:
    def get_learning_rate(name: str) -> float:
        if name.startswith("praise"):
            return _HEAD_LEARNING_RATE
        layer = int(name.split("layer.")[1].split(".", maxsplit=1)[0]) if "layer." in name else -1
        return float(_LEARNING_RATE * _LAYER_LR_DECAY ** (n_layers - 1 - layer))

    return get_learning_rate


def derive_shape(network: BertSentiment) -> BertShape:
    config = network.bert.config
    return BertShape(
        config.num_hidden_layers, config.num_attention_heads, config.hidden_size, config.layer_norm_eps
    )


def collect_weights(network: BertSentiment) -> BertWeights:
    """The exported graph's constants; all float32."""
    bert = network.bert
    seen, size = bert.embeddings, bert.config.hidden_size // bert.config.num_attention_heads
    places = seen.position_embeddings.weight[:MAX_TOKENS] + seen.token_type_embeddings.weight[0]
    arrays: dict[str, Float32Array] = {
        "words": _to_array(seen.word_embeddings.weight),
        "places": _to_array(places),
        "gain": _to_array(seen.LayerNorm.weight),
        "bias": _to_array(seen.LayerNorm.bias),
        "praise": _to_array(network.output_weight),
        "praise_bias": _to_array(network.output_bias),
    }
    for n, layer in enumerate(bert.encoder.layer):
        own, out = layer.attention.self, layer.attention.output
        asked = (own.query.weight / size**0.5, own.key.weight, own.value.weight)
        asked_bias = (own.query.bias / size**0.5, own.key.bias, own.value.bias)
        arrays |= {
            f"attention{n}": _to_array(torch.cat(asked).T),
            f"attention{n}_bias": _to_array(torch.cat(asked_bias)),
            f"said{n}": _to_array(out.dense.weight.T),
            f"said{n}_bias": _to_array(out.dense.bias),
            f"said{n}_gain": _to_array(out.LayerNorm.weight),
            f"said{n}_shift": _to_array(out.LayerNorm.bias),
            f"wide{n}": _to_array(layer.intermediate.dense.weight.T),
            f"wide{n}_bias": _to_array(layer.intermediate.dense.bias),
            f"narrow{n}": _to_array(layer.output.dense.weight.T),
            f"narrow{n}_bias": _to_array(layer.output.dense.bias),
            f"narrow{n}_gain": _to_array(layer.output.LayerNorm.weight),
            f"narrow{n}_shift": _to_array(layer.output.LayerNorm.bias),
        }
    return arrays


def _to_array(value: Tensor) -> Float32Array:
    return np.ascontiguousarray(value.detach().numpy(), np.float32)
