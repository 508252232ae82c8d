"""Fine-tunes a BERT to labelled reviews. Imports torch and transformers, so only workers and commands may import this module.

Devlin and others, "BERT: Pre-training of Deep Bidirectional Transformers", NAACL 2019. The word embeddings are not
trained: a few thousand reviews would change those of their own words only, relative to all others."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load, save

from recommender.language.encoders.huggingface import load_pretrained
from recommender.language.encoders.wordpiece import (
    MAX_TOKENS,
    WordPieceTokenizer,
)
from recommender.language.preprocessing.text import clean_text
from recommender.language.sentiment.finetuning.bert_network import (
    BertSentiment,
    collect_weights,
    derive_shape,
    hash_word_table,
)
from recommender.language.sentiment.finetuning.bert_onnx import (
    export_bert,
    quantize_model,
)
from recommender.language.sentiment.finetuning.loop import (
    FinetuneSchedule,
    as_tensors,
    train_network,
)
from recommender.language.sentiment.onnx_network import OnnxSentimentNetwork
from recommender.language.sentiment.training import validate_training_set
from recommender.types import (
    BoolArray,
    DataError,
    Float16Array,
    Float32Array,
    ProgressCallback,
    ignore_progress,
)

_BATCH_SIZE = 32
_EPOCHS = 2
_LEARNING_RATE, _HEAD_LEARNING_RATE = 2e-4, 1e-3
# Discriminative fine-tuning (Howard and Ruder 2018): the rate of a layer relative to that of the layer above it.
_LAYER_LR_DECAY = 0.85
_BLEND_WEIGHT = 1.0  # chosen on held-out parts of training data
_WORD_TABLE_HASH_KEY = "word_table_hash"


def fit_bert(
    texts: Sequence[str],
    is_positive: BoolArray,
    *,
    folder: Path,
    rng: np.random.Generator,
    initial: OnnxSentimentNetwork | None = None,
    report: ProgressCallback = ignore_progress,
) -> OnnxSentimentNetwork:
    """Fine-tunes a BERT.

    Args:
        texts: training texts; they are cleaned here.
        is_positive: bool (len(texts)), the labels.
        folder: contains a BERT and its tokenizer as transformers saves them.
        rng: draws initial output weights, batches and torch's seed.
        initial: a network that was tuned from the same folder, to continue from.
        report: receives the phase "network" and the fraction done.

    Raises:
        DataError: too few texts, only one label, another architecture, or an unsuitable initial network.
    """
    cleaned = list(map(clean_text, texts))
    validate_training_set(cleaned, is_positive)
    network, tokenizer_content = load_bert_network(folder, rng, initial)
    tokenizer = WordPieceTokenizer(tokenizer_content)
    schedule = FinetuneSchedule(
        epochs=_EPOCHS,
        batch_size=_BATCH_SIZE,
        learning_rate=_build_learning_rate(network.bert.config.num_hidden_layers),
    )
    # fork_rng restores the state of torch's global generator afterwards.
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(int(rng.integers(2**31)))
        averages = train_network(
            network,
            tokenizer.tokenize(cleaned),
            is_positive,
            build_inputs=tokenizer.build_inputs,
            schedule=schedule,
            rng=rng,
            report=report,
        )
    _copy_weights(network, averages)
    stored_weights: dict[str, Float16Array | NDArray[np.uint8]] = {
        _WORD_TABLE_HASH_KEY: hash_word_table(network)
    }
    for name, value in averages.items():
        stored_weights[name] = value.astype(np.float16)
    return OnnxSentimentNetwork(
        graph=quantize_model(export_bert(collect_weights(network), derive_shape(network))),
        weights=save(stored_weights),
        tokenizer=tokenizer_content,
        blend_weight=_BLEND_WEIGHT,
    )


def load_bert_network(
    folder: Path,
    rng: np.random.Generator,
    initial: OnnxSentimentNetwork | None = None,
) -> tuple[BertSentiment, bytes]:
    """Returns the network before training and the content of its `tokenizer.json`.

    Raises DataError if the folder contains no suitable BERT or `initial` was tuned from another encoder."""
    tokenizer, model = load_pretrained(folder)
    content = _serialize_tokenizer(tokenizer, model.config)
    if not content:
        raise DataError(
            f"{folder} holds no BERT that a network could be tuned from: one with a fast tokenizer of its own, "
            f"which marks beginning and end, and room for {MAX_TOKENS} tokens."
        )
    network = BertSentiment(model, tokenizer.mask_token_id, rng)
    if initial is not None:
        _load_checkpoint(network, initial)
    return network, content


def _serialize_tokenizer(tokenizer: Any, config: Any) -> bytes:
    """The content of `tokenizer.json`; empty if model or tokenizer are not those that `export_bert` supports."""
    is_supported_model = (
        config.model_type == "bert"
        and config.hidden_act == "gelu"
        and not config.is_decoder
        and config.max_position_embeddings >= MAX_TOKENS
    )
    if not is_supported_model:
        return b""
    begin_and_end = [tokenizer.cls_token_id, tokenizer.sep_token_id]
    is_supported_tokenizer = (
        tokenizer.is_fast
        and None not in [*begin_and_end, tokenizer.mask_token_id]
        and len(tokenizer) <= config.vocab_size
    )
    if not is_supported_tokenizer:
        return b""
    content: bytes = tokenizer.backend_tokenizer.to_str().encode()
    # A tokenizer without a post-processor adds neither [CLS] nor [SEP].
    if WordPieceTokenizer(content).tokenize([""])[0].tolist() != begin_and_end:
        return b""
    return content


def _load_checkpoint(network: BertSentiment, initial: OnnxSentimentNetwork) -> None:
    """Copies the weights of `initial` into the network. Raises DataError if they are of another encoder."""
    try:
        weights = load(initial.weights)
    except SafetensorError as error:
        raise DataError("The weights of the network to start from cannot be read.") from error
    word_table_hash = weights.pop(_WORD_TABLE_HASH_KEY, None)
    expected_shapes = {}
    for name, parameter in network.named_parameters():
        if parameter.requires_grad:
            expected_shapes[name] = parameter.shape
    shapes = {name: value.shape for name, value in weights.items()}
    if word_table_hash is None or shapes != expected_shapes:
        raise DataError("The network to start from was tuned from another encoder.")
    if word_table_hash.tobytes() != hash_word_table(network).tobytes():
        raise DataError("The network to start from was tuned from another encoder of the same shape.")
    _copy_weights(
        network,
        {name: value.astype(np.float32) for name, value in weights.items()},
    )


def _copy_weights(network: BertSentiment, weights: Mapping[str, Float32Array]) -> None:
    # Not strict: the word embeddings are not among the weights.
    network.load_state_dict(as_tensors(weights), strict=False)


def _build_learning_rate(n_layers: int) -> Callable[[str], float]:
    """Learning rate by parameter name: it decays from the output layer down to the embeddings."""

    def get_learning_rate(name: str) -> float:
        if name.startswith("output_"):
            return _HEAD_LEARNING_RATE
        # Names are like "bert.encoder.layer.3.output.dense.weight"; embeddings lie below layer 0.
        layer = -1
        if "layer." in name:
            layer = int(name.split("layer.")[1].split(".", maxsplit=1)[0])
        return float(_LEARNING_RATE * _LAYER_LR_DECAY ** (n_layers - 1 - layer))

    return get_learning_rate
