"""A head learns, is kept without pickles, and what ships is as good as it says."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from recommender.language.encoders.base import UniversalSentenceEncoder
from recommender.language.intents.classifier import IntentSentence, load_intent_dataset
from recommender.language.preprocessing.text import Language
from recommender.language.sentiment.classifier import (
    SentimentClassifier,
    extract_lexicon_features,
    load_default_sentiment_classifier,
)
from recommender.language.sentiment.training import (
    SentimentConfig,
    evaluate_accuracy,
    fit_sentiment_classifier,
)
from recommender.types import DataError

GOOD = [f"lovely soft {thing}, fits well" for thing in ("dress", "coat", "scarf", "shirt", "hat")] * 5
BAD = [f"scratchy thin {thing}, falls apart" for thing in ("dress", "coat", "scarf", "shirt", "hat")] * 5
PRAISE = np.array([True] * len(GOOD) + [False] * len(BAD))


@pytest.mark.parametrize("ratio", [0.0, 1.0])
def test_a_head_learns_from_words(ratio: float) -> None:
    head = fit_sentiment_classifier(
        GOOD + BAD, PRAISE, language="en", config=SentimentConfig(bits=12, ratio_power=ratio)
    )
    assert (
        evaluate_accuracy(
            head, ["a soft skirt that fits well", "a thin skirt that falls apart"], np.array([True, False])
        )
        == 1
    )


def test_a_head_is_read_as_it_was_written(tmp_path: Path) -> None:
    head = fit_sentiment_classifier(
        GOOD + BAD, PRAISE, language="en", config=SentimentConfig(bits=12), learned_from="a test"
    )
    path = tmp_path / "head.safetensors"
    path.write_bytes(head.to_bytes())
    again = SentimentClassifier.load(path)
    assert again.metadata == head.metadata
    assert np.allclose(again.score(GOOD), head.score(GOOD), atol=5e-3)


@pytest.mark.parametrize("content", [b"", b"not a head", b"\x08\x00\x00\x00\x00\x00\x00\x00{}      "])
def test_a_file_that_is_no_head_is_refused_with_one_sentence(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "sentiment-en.safetensors"
    path.write_bytes(content)
    with pytest.raises(DataError, match=r"^sentiment-en.safetensors is not a sentiment head"):
        SentimentClassifier.load(path)


@pytest.mark.parametrize(
    ("texts", "praise"), [(GOOD[:10], PRAISE[:10]), (GOOD * 2, np.ones(len(GOOD) * 2, bool))]
)
def test_too_few_texts_or_one_kind_alone_teach_nothing(texts: list[str], praise: np.ndarray) -> None:  # type: ignore[type-arg]
    with pytest.raises(DataError):
        fit_sentiment_classifier(texts, praise, language="en")


def test_a_head_refuses_the_vectors_of_another_encoder() -> None:
    with pytest.raises(DataError, match="needs the encoder multilingual"):
        load_default_sentiment_classifier("zh").score(["很好"])


def test_cues_tell_praise_from_blame_in_both_languages() -> None:
    assert (extract_lexicon_features(["great but noisy"], "en")[0] == [0, 1, 1]).all()
    assert (
        extract_lexicon_features(["不错，喜欢"], "zh")[0, 0]
        > 0
        > extract_lexicon_features(["太差了，失望"], "zh")[0, 0]
    )


def test_a_head_that_starts_from_another_knows_the_words_of_both() -> None:
    config = SentimentConfig(bits=12, ratio_power=0.0)
    start = fit_sentiment_classifier(
        [text.replace("soft", "felted").replace("thin", "corded") for text in GOOD + BAD],
        PRAISE,
        language="en",
        config=config,
    )
    head = fit_sentiment_classifier(GOOD + BAD, PRAISE, language="en", config=config, initial=start)
    alone = fit_sentiment_classifier(GOOD + BAD, PRAISE, language="en", config=config)
    asked = ["felted", "corded"]
    assert alone.score(asked)[0] == alone.score(asked)[1]
    assert head.score(asked)[0] > head.score(asked)[1]
    assert evaluate_accuracy(head, GOOD + BAD, PRAISE) == 1


def test_a_head_to_start_from_must_be_of_the_same_size() -> None:
    start = fit_sentiment_classifier(GOOD + BAD, PRAISE, language="en", config=SentimentConfig(bits=10))
    with pytest.raises(DataError, match="to start from"):
        fit_sentiment_classifier(
            GOOD + BAD, PRAISE, language="en", config=SentimentConfig(bits=12), initial=start
        )


UNSEEN = {
    "en": (
        "A superb jacket, I am so happy with it.",
        "Wonderful service and a lovely view.",
        "It fell apart, awful.",
    ),
    "zh": ("手表很漂亮，走时很准。", "餐厅环境好，菜也好吃，很满意。", "箱子轮子坏了，质量太差。"),
}


@pytest.mark.parametrize("language", ["en", "zh"])
def test_the_heads_that_ship_tell_praise_from_blame(language: Language) -> None:
    encoder = UniversalSentenceEncoder() if language == "zh" else None
    assert (load_default_sentiment_classifier(language).score(UNSEEN[language], encoder) > 0).tolist() == [
        True,
        True,
        False,
    ]


def test_the_heads_that_ship_say_what_they_were_learned_from_and_how_good_they_are() -> None:
    for head in (load_default_sentiment_classifier("en"), load_default_sentiment_classifier("zh")):
        assert "CC0" in head.metadata.learned_from
        assert "CC BY 4.0" in head.metadata.learned_from
        assert set(head.metadata.measured) == {"clothing", "drugs", "product sentences", "pros and cons"}


def test_the_sentences_that_ship_are_enough_and_each_stands_once() -> None:
    sentences = load_intent_dataset()
    assert len(sentences) >= 300
    assert len({one.text for one in sentences}) == len(sentences)
    assert {one.language for one in sentences} == {"en", "zh"}
    assert isinstance(sentences[0], IntentSentence)
