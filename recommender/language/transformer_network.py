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

from recommender.language.network import ReviewNetwork
from recommender.language.network_tuning import Schedule, tuned
from recommender.language.sentiment_training import check
from recommender.language.texts import clean
from recommender.language.transformer_export import Arrays, Shape, export, narrowed
from recommender.language.transformer_training import loaded
from recommender.language.wordpieces import MOST_TOKENS, WordPieces
from recommender.types import Bools, DataError, Floats, Report, silent

_BATCH = 32
_EPOCHS = 2
_RATE, _HEAD_RATE = 2e-4, 1e-3
_DEEPER = 0.85  # a layer learns that much slower than the one above it
_MASKED = 0.1
_SHARE = 1.0  # beside the words; parts of training data that were held out chose it
_TABLE = "table"
Halves = NDArray[np.float16]
Bytes = NDArray[np.uint8]


class BertReader(nn.Module):
    """A BERT and one linear layer over the mean of its last layer and the vector of the opening mark."""

    def __init__(self, model: Any, mask: int, rng: np.random.Generator) -> None:
        super().__init__()
        self.bert, self._mask = model, mask
        self.bert.pooler = None
        # The gradients of this one take two thirds of the time of the fused one's.
        self.bert.set_attn_implementation("eager")
        for part in self.bert.modules():
            if isinstance(part, nn.Dropout):
                part.p = 0.0  # masked tokens do its work in half of the time
        self.bert.embeddings.word_embeddings.weight.requires_grad_(False)
        weight = rng.normal(0, 0.02, (2 * model.config.hidden_size, 1)).astype(np.float32)
        self.praise = nn.Parameter(torch.from_numpy(weight))
        self.praise_bias = nn.Parameter(torch.zeros(1))

    def forward(self, tokens: Tensor, there: Tensor) -> Tensor:
        """(rows, length) and (rows, length, 1) to log-odds (rows)."""
        if self.training:
            inner = functional.pad(there[:, 2:, 0] > 0, (1, 1))  # all but the marks of beginning and end
            tokens = torch.where(inner & (torch.rand(tokens.shape) < _MASKED), self._mask, tokens)
        hidden = self.bert(input_ids=tokens, attention_mask=there.squeeze(-1).long()).last_hidden_state
        mean = (hidden * there).sum(1) / there.sum(1)
        pooled = torch.cat([mean, hidden[:, 0]], dim=-1)
        said: Tensor = (pooled @ self.praise + self.praise_bias).squeeze(-1)
        return said


def fit_transformer(
    texts: Sequence[str],
    praise: Bools,
    *,
    folder: Path,
    rng: np.random.Generator,
    start: ReviewNetwork | None = None,
    report: Report = silent,
) -> ReviewNetwork:
    """praise[i] says whether text i praises. `folder` holds a BERT and its tokenizer as transformers saves them; with
    `start` the training goes on from a network tuned from the same folder.

    `report` hears the fraction of the work done. Raises DataError for too few texts, one kind alone, another
    architecture."""
    cleaned = [clean(text) for text in texts]
    check(cleaned, praise)
    network, tokenizer = opened(folder, rng, start)
    reading = WordPieces(tokenizer)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(int(rng.integers(2**31)))
        learned = tuned(
            network,
            reading.rows(cleaned),
            praise,
            inputs=reading.inputs,
            schedule=Schedule(_EPOCHS, _BATCH, _rate_of(network.bert.config.num_hidden_layers)),
            rng=rng,
            report=report,
        )
    _take(network, learned)
    graph = narrowed(export(arrays_of(network), shape_of(network)))
    kept: dict[str, Halves | Bytes] = {name: value.astype(np.float16) for name, value in learned.items()}
    return ReviewNetwork(graph, save({**kept, _TABLE: _table_of(network)}), tokenizer, _SHARE)


def opened(
    folder: Path, rng: np.random.Generator, start: ReviewNetwork | None = None
) -> tuple[BertReader, bytes]:
    """The network before it learns, and the content of its tokenizer. Raises DataError."""
    tokenizer, model = loaded(folder)
    config = model.config
    marks = [tokenizer.cls_token_id, tokenizer.sep_token_id, tokenizer.mask_token_id]
    fits = (
        config.model_type == "bert"
        and config.hidden_act == "gelu"
        and not config.is_decoder
        and config.max_position_embeddings >= MOST_TOKENS
        and tokenizer.is_fast
        and None not in marks
        and len(tokenizer) <= config.vocab_size
    )
    content = tokenizer.backend_tokenizer.to_str().encode() if fits else b""
    if not fits or WordPieces(content).rows([""])[0].tolist() != marks[:2]:
        raise DataError(
            f"{folder} holds no BERT that a network could be tuned from: one with a fast tokenizer of its own, "
            f"which marks beginning and end, and room for {MOST_TOKENS} tokens."
        )
    network = BertReader(model, tokenizer.mask_token_id, rng)
    if start is not None:
        _go_on(network, start)
    return network, content


def _go_on(network: BertReader, start: ReviewNetwork) -> None:
    try:
        known = load(start.weights)
    except SafetensorError as fault:
        raise DataError("The weights of the network to start from cannot be read.") from fault
    table = known.pop(_TABLE, None)
    wanted = {name: value.shape for name, value in network.named_parameters() if value.requires_grad}
    if table is None or {name: value.shape for name, value in known.items()} != wanted:
        raise DataError("The network to start from was tuned from another encoder.")
    if table.tobytes() != _table_of(network).tobytes():
        raise DataError("The network to start from was tuned from another encoder of the same shape.")
    _take(network, {name: value.astype(np.float32) for name, value in known.items()})


def _take(network: BertReader, learned: Mapping[str, Floats]) -> None:
    network.load_state_dict({name: torch.from_numpy(value) for name, value in learned.items()}, strict=False)


def _table_of(network: BertReader) -> Bytes:
    """SHA-256 of the table of words, which a network does not keep with what it learned."""
    table = _array(network.bert.embeddings.word_embeddings.weight)
    return np.frombuffer(hashlib.sha256(table.tobytes()).digest(), np.uint8)


def _rate_of(layers: int) -> Callable[[str], float]:
    def rate(name: str) -> float:
        if name.startswith("praise"):
            return _HEAD_RATE
        layer = int(name.split("layer.")[1].split(".", maxsplit=1)[0]) if "layer." in name else -1
        return float(_RATE * _DEEPER ** (layers - 1 - layer))

    return rate


def shape_of(network: BertReader) -> Shape:
    config = network.bert.config
    return Shape(
        config.num_hidden_layers, config.num_attention_heads, config.hidden_size, config.layer_norm_eps
    )


def arrays_of(network: BertReader) -> Arrays:
    """The exported graph's constants; all float32."""
    bert = network.bert
    seen, size = bert.embeddings, bert.config.hidden_size // bert.config.num_attention_heads
    places = seen.position_embeddings.weight[:MOST_TOKENS] + seen.token_type_embeddings.weight[0]
    arrays: dict[str, Floats] = {
        "words": _array(seen.word_embeddings.weight),
        "places": _array(places),
        "gain": _array(seen.LayerNorm.weight),
        "bias": _array(seen.LayerNorm.bias),
        "praise": _array(network.praise),
        "praise_bias": _array(network.praise_bias),
    }
    for n, layer in enumerate(bert.encoder.layer):
        own, out = layer.attention.self, layer.attention.output
        asked = (own.query.weight / size**0.5, own.key.weight, own.value.weight)
        asked_bias = (own.query.bias / size**0.5, own.key.bias, own.value.bias)
        arrays |= {
            f"attention{n}": _array(torch.cat(asked).T),
            f"attention{n}_bias": _array(torch.cat(asked_bias)),
            f"said{n}": _array(out.dense.weight.T),
            f"said{n}_bias": _array(out.dense.bias),
            f"said{n}_gain": _array(out.LayerNorm.weight),
            f"said{n}_shift": _array(out.LayerNorm.bias),
            f"wide{n}": _array(layer.intermediate.dense.weight.T),
            f"wide{n}_bias": _array(layer.intermediate.dense.bias),
            f"narrow{n}": _array(layer.output.dense.weight.T),
            f"narrow{n}_bias": _array(layer.output.dense.bias),
            f"narrow{n}_gain": _array(layer.output.LayerNorm.weight),
            f"narrow{n}_shift": _array(layer.output.LayerNorm.bias),
        }
    return arrays


def _array(value: Tensor) -> Floats:
    return np.ascontiguousarray(value.detach().numpy(), np.float32)
