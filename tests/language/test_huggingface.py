"""An encoder is loaded from a folder, without network access."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from recommender.language.encoders.huggingface import HuggingFaceEncoder, find_minilm_folder, open_encoder
from recommender.types import DataError

WORDS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "good", "bad", "phone", "the", "battery"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a BERT of one layer with random weights, as transformers saves it."""
    import torch
    from transformers import BertConfig, BertModel, BertTokenizerFast

    torch.manual_seed(0)
    encoder_folder = tmp_path_factory.mktemp("encoder")
    (encoder_folder / "vocab.txt").write_text("\n".join(WORDS))
    config = BertConfig(
        vocab_size=len(WORDS), hidden_size=8, num_hidden_layers=1, num_attention_heads=2, intermediate_size=16
    )
    BertModel(config).save_pretrained(encoder_folder)
    BertTokenizerFast(str(encoder_folder / "vocab.txt")).save_pretrained(encoder_folder)
    return encoder_folder


def test_embeddings_have_norm_one_and_do_not_depend_on_other_texts(folder: Path) -> None:
    encoder = HuggingFaceEncoder(folder)
    embeddings = encoder.encode(["good phone", "the battery the battery the bad battery", ""])
    assert embeddings.shape == (3, 8)
    assert embeddings.dtype == np.float32
    assert np.allclose(np.linalg.norm(embeddings, axis=1), 1, atol=1e-5)
    assert np.allclose(encoder.encode(["good phone"])[0], embeddings[0], atol=1e-5)


def test_a_text_of_a_megabyte_is_truncated(folder: Path) -> None:
    assert np.isfinite(HuggingFaceEncoder(folder).encode(["good " * 200_000])).all()


def test_the_name_of_a_folder_encoder_is_its_path(folder: Path) -> None:
    assert open_encoder(str(folder)).name == str(folder)


@pytest.mark.parametrize("content", [None, "{}", '{"model_type": "bert", "vocab_size": 5}'])
def test_a_folder_without_an_encoder_is_refused_with_one_sentence(
    tmp_path: Path, content: str | None
) -> None:
    if content is not None:
        (tmp_path / "config.json").write_text(content)
    with pytest.raises(DataError, match="holds no encoder"):
        HuggingFaceEncoder(tmp_path)


def test_the_english_encoder_is_installed() -> None:
    assert (find_minilm_folder() / "model.safetensors").is_file()
