"""An encoder is a folder: made here, small, and loaded without any network."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from recommender.language.encoders.huggingface import HuggingFaceEncoder, find_minilm_folder, open_encoder
from recommender.types import DataError

WORDS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "good", "bad", "phone", "the", "battery"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A transformer of one layer with weights drawn by chance, as transformers saves it."""
    import torch
    from transformers import BertConfig, BertModel, BertTokenizerFast

    torch.manual_seed(0)
    made = tmp_path_factory.mktemp("encoder")
    (made / "vocab.txt").write_text("\n".join(WORDS))
    config = BertConfig(
        vocab_size=len(WORDS), hidden_size=8, num_hidden_layers=1, num_attention_heads=2, intermediate_size=16
    )
    BertModel(config).save_pretrained(made)
    BertTokenizerFast(str(made / "vocab.txt")).save_pretrained(made)
    return made


def test_texts_become_vectors_of_length_one_whatever_stands_beside_them(folder: Path) -> None:
    encoder = HuggingFaceEncoder(folder)
    together = encoder.encode(["good phone", "the battery the battery the bad battery", ""])
    assert together.shape == (3, 8)
    assert together.dtype == np.float32
    assert np.allclose(np.linalg.norm(together, axis=1), 1, atol=1e-5)
    assert np.allclose(encoder.encode(["good phone"])[0], together[0], atol=1e-5)


def test_a_megabyte_is_cut(folder: Path) -> None:
    assert np.isfinite(HuggingFaceEncoder(folder).encode(["good " * 200_000])).all()


def test_a_folder_is_an_encoder_by_its_path(folder: Path) -> None:
    assert open_encoder(str(folder)).name == str(folder)


@pytest.mark.parametrize("content", [None, "{}", '{"model_type": "bert", "vocab_size": 5}'])
def test_a_folder_that_holds_no_encoder_is_refused_with_one_sentence(
    tmp_path: Path, content: str | None
) -> None:
    if content is not None:
        (tmp_path / "config.json").write_text(content)
    with pytest.raises(DataError, match="holds no encoder"):
        HuggingFaceEncoder(tmp_path)


def test_the_english_encoder_of_the_package_is_there() -> None:
    assert (find_minilm_folder() / "model.safetensors").is_file()
