"""Linear sentiment classifiers are trained, serialised without pickle, and the distributed ones are documented."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from recommender.language.encoders.use import UniversalSentenceEncoder
from recommender.language.intents.classifier import IntentSentence, load_intent_dataset
from recommender.language.preprocessing.text import Language
from recommender.language.sentiment.classifier import (
    SentimentClassifier,
    extract_lexicon_features,
    load_default_sentiment_classifier,
)
from recommender.language.sentiment.config import SentimentConfig, SentimentFitOptions
from recommender.language.sentiment.training import (
    evaluate_accuracy,
    fit_nbsvm_pair,
    fit_sentiment_classifier,
)
from recommender.types import DataError

GOOD = [f"lovely soft {thing}, fits well" for thing in ("dress", "coat", "scarf", "shirt", "hat")] * 5
BAD = [f"scratchy thin {thing}, falls apart" for thing in ("dress", "coat", "scarf", "shirt", "hat")] * 5
IS_POSITIVE = np.array([True] * len(GOOD) + [False] * len(BAD))


TEST_TEXTS = ["a soft skirt that fits well", "a thin skirt that falls apart"]


def english_options(**config: Any) -> SentimentFitOptions:
    return SentimentFitOptions(language="en", config=SentimentConfig(**{"bits": 12, **config}))


@pytest.mark.parametrize("ratio", [0.0, 1.0])
def test_a_classifier_is_trained_on_words(ratio: float) -> None:
    classifier = fit_sentiment_classifier(GOOD + BAD, IS_POSITIVE, english_options(ratio_power=ratio))
    assert evaluate_accuracy(classifier, TEST_TEXTS, np.array([True, False])) == 1


def test_the_score_of_a_pair_is_the_mean_of_both_scores() -> None:
    pair = fit_nbsvm_pair(GOOD + BAD, IS_POSITIVE, english_options(inverse_penalty=4.0))
    unscaled = fit_sentiment_classifier(
        GOOD + BAD, IS_POSITIVE, english_options(ratio_power=0.0, inverse_penalty=4.0)
    )
    scaled = fit_sentiment_classifier(
        GOOD + BAD, IS_POSITIVE, english_options(ratio_power=1.0, inverse_penalty=0.25)
    )
    mean = (unscaled.score(TEST_TEXTS) + scaled.score(TEST_TEXTS)) / 2
    assert np.allclose(pair.score(TEST_TEXTS), mean, atol=1e-5)


def test_serialisation_round_trip(tmp_path: Path) -> None:
    options = replace(english_options(), learned_from="a test")
    classifier = fit_sentiment_classifier(GOOD + BAD, IS_POSITIVE, options)
    path = tmp_path / "classifier.safetensors"
    path.write_bytes(classifier.to_bytes())
    loaded = SentimentClassifier.load(path)
    assert loaded.metadata == classifier.metadata
    assert np.allclose(loaded.score(GOOD), classifier.score(GOOD), atol=5e-3)


@pytest.mark.parametrize("content", [b"", b"not a classifier", b"\x08\x00\x00\x00\x00\x00\x00\x00{}      "])
def test_a_file_without_a_classifier_is_refused_with_one_sentence(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "sentiment-en.safetensors"
    path.write_bytes(content)
    with pytest.raises(DataError, match=r"^sentiment-en.safetensors is not a sentiment classifier"):
        SentimentClassifier.load(path)


@pytest.mark.parametrize(
    ("texts", "is_positive"), [(GOOD[:10], IS_POSITIVE[:10]), (GOOD * 2, np.ones(len(GOOD) * 2, bool))]
)
def test_too_few_texts_or_a_single_label_are_refused(texts: list[str], is_positive: np.ndarray) -> None:  # type: ignore[type-arg]
    with pytest.raises(DataError):
        fit_sentiment_classifier(texts, is_positive, SentimentFitOptions(language="en"))


def test_a_classifier_refuses_embeddings_of_another_encoder() -> None:
    with pytest.raises(DataError, match="needs the encoder multilingual"):
        load_default_sentiment_classifier("zh").score(["很好"])


def test_lexicon_features_have_the_sign_of_the_opinion_in_both_languages() -> None:
    assert (extract_lexicon_features(["great but noisy"], "en")[0] == [0, 1, 1]).all()
    assert (
        extract_lexicon_features(["不错，喜欢"], "zh")[0, 0]
        > 0
        > extract_lexicon_features(["太差了，失望"], "zh")[0, 0]
    )


def test_a_classifier_with_an_initial_one_has_the_words_of_both() -> None:
    options = english_options(ratio_power=0.0)
    other_texts = [text.replace("soft", "felted").replace("thin", "corded") for text in GOOD + BAD]
    initial = fit_sentiment_classifier(other_texts, IS_POSITIVE, options)
    classifier = fit_sentiment_classifier(GOOD + BAD, IS_POSITIVE, replace(options, initial=initial))
    without_initial = fit_sentiment_classifier(GOOD + BAD, IS_POSITIVE, options)
    words = ["felted", "corded"]
    assert without_initial.score(words)[0] == without_initial.score(words)[1]
    assert classifier.score(words)[0] > classifier.score(words)[1]
    assert evaluate_accuracy(classifier, GOOD + BAD, IS_POSITIVE) == 1


def test_an_initial_classifier_of_another_size_is_refused() -> None:
    initial = fit_sentiment_classifier(GOOD + BAD, IS_POSITIVE, english_options(bits=10))
    with pytest.raises(DataError, match="to start from"):
        fit_sentiment_classifier(GOOD + BAD, IS_POSITIVE, replace(english_options(), initial=initial))


UNSEEN = {
    "en": (
        "A superb jacket, I am so happy with it.",
        "Wonderful service and a lovely view.",
        "It fell apart, awful.",
    ),
    "zh": ("手表很漂亮，走时很准。", "餐厅环境好，菜也好吃，很满意。", "箱子轮子坏了，质量太差。"),
}


@pytest.mark.parametrize("language", ["en", "zh"])
def test_the_distributed_classifiers_separate_positive_and_negative_texts(language: Language) -> None:
    encoder = UniversalSentenceEncoder() if language == "zh" else None
    assert (load_default_sentiment_classifier(language).score(UNSEEN[language], encoder) > 0).tolist() == [
        True,
        True,
        False,
    ]


def test_the_distributed_classifiers_document_sources_and_accuracies() -> None:
    for classifier in (load_default_sentiment_classifier("en"), load_default_sentiment_classifier("zh")):
        assert "CC0" in classifier.metadata.learned_from
        assert "CC BY 4.0" in classifier.metadata.learned_from
        assert set(classifier.metadata.measured) == {
            "clothing",
            "drugs",
            "product sentences",
            "pros and cons",
        }


def test_the_intent_dataset_has_enough_distinct_sentences() -> None:
    sentences = load_intent_dataset()
    assert len(sentences) >= 300
    assert len({sentence.text for sentence in sentences}) == len(sentences)
    assert {sentence.language for sentence in sentences} == {"en", "zh"}
    assert isinstance(sentences[0], IntentSentence)
