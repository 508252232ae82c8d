"""Makes the heads that come with the package, from data that may be passed on. Loads scikit-learn: commands only."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from recommender.language.encoders.base import UniversalSentenceEncoder
from recommender.language.intents.classifier import load_intent_dataset
from recommender.language.preprocessing.corpora import (
    LabelledTexts,
    read_clothing_reviews,
    read_drug_reviews,
    read_product_sentences,
    read_pros_and_cons,
    split_train_test_rows,
)
from recommender.language.preprocessing.resources import read_resource
from recommender.language.preprocessing.text import Language
from recommender.language.relevance import training
from recommender.language.relevance.classifier import RelevanceClassifier
from recommender.language.sentiment.classifier import SentimentClassifier
from recommender.language.sentiment.training import (
    SentimentConfig,
    evaluate_accuracy,
    fit_sentiment_classifier,
    replace_accuracies,
)

ENGLISH_CONFIG = SentimentConfig(ratio_power=0.0, inverse_penalty=4.0)
# No words: what carries over to Chinese are the signs of opinion words and a vector that many languages share.
CROSS_LINGUAL_CONFIG = SentimentConfig(use_ngrams=False, inverse_penalty=1.0, balance_classes=True)
_MAX_TRANSFER_TEXTS, _OWN_SENTENCE_WEIGHT = 4_000, 3.0
SOURCE_CREDITS = (
    "Women's E-Commerce Clothing Reviews (CC0); Drug Review Dataset, Druglib.com (UCI, CC BY 4.0); "
    "product reviews of Hu and Liu and of Ding, Liu and Yu, and pros and cons of Ganapathibhotla and Liu (CC BY 4.0); "
    "sentences of this project (CC0)"
)


def read_sources(folder: Path) -> Mapping[str, LabelledTexts]:
    """By the name under which their held-out tenth is quoted. Raises DataError."""
    return {
        "clothing": read_clothing_reviews(folder / "reviews-womens-clothing"),
        "drugs": read_drug_reviews(folder / "medical-druglib-reviews"),
        "product sentences": read_product_sentences(folder / "sentiment-en"),
        "pros and cons": read_pros_and_cons(folder / "sentiment-en"),
    }


def build_sentiment_classifiers(folder: Path) -> tuple[SentimentClassifier, SentimentClassifier]:
    """English and Chinese, each with its accuracy on the tenth of every source that it has not learned from; for the
    Chinese head, which has seen no Chinese, those figures are of English texts."""
    told = read_sources(folder)
    rest, tenth = {}, {}
    for name, texts in told.items():
        learn, measured = split_train_test_rows(len(texts))
        rest[name], tenth[name] = texts.take(learn), texts.take(measured)
    everything = sum(rest.values(), LabelledTexts((), np.empty(0, np.bool_)))
    own = [one for one in load_own_sentences() if one.language == "en"]
    english = fit_sentiment_classifier(
        [*everything.texts, *(one.text for one in own)],
        np.append(everything.is_positive, [one.is_positive for one in own]),
        language="en",
        config=ENGLISH_CONFIG,
        sample_weight=np.append(np.ones(len(everything)), np.full(len(own), _OWN_SENTENCE_WEIGHT)).astype(
            np.float32
        ),
        learned_from=SOURCE_CREDITS,
    )
    english = replace_accuracies(
        english,
        {name: evaluate_accuracy(english, texts.texts, texts.is_positive) for name, texts in tenth.items()},
    )
    return english, _build_chinese_classifier(everything, tenth)


@dataclass(frozen=True, slots=True)
class OwnSentence:
    language: Language
    text: str
    is_positive: bool


def load_own_sentences() -> list[OwnSentence]:
    """What was written for this project, in both languages: short reviews, and intents that tell praise from blame."""
    rows = [line.split("\t") for line in read_resource("sentiments.tsv").splitlines() if line[:1] != "#"]
    short = [
        OwnSentence("zh" if language == "zh" else "en", text, label == "1") for label, language, text in rows
    ]
    return short + [
        OwnSentence(one.language, one.text, one.intent == "buy_again")
        for one in load_intent_dataset()
        if one.intent in ("buy_again", "return", "complain")
    ]


def build_relevance_classifier(folder: Path) -> RelevanceClassifier:
    """Learned from comments on garments and drugs, and their descriptions."""
    told = read_clothing_reviews(folder / "reviews-womens-clothing") + read_drug_reviews(
        folder / "medical-druglib-reviews"
    )
    learn, asked = split_train_test_rows(len(told))
    encoder = UniversalSentenceEncoder()
    rest, tenth = told.take(learn[:: max(len(learn) // _MAX_TRANSFER_TEXTS, 1)]), told.take(asked[::4])
    head = training.fit_relevance_classifier(rest.texts, rest.descriptions, rest.is_positive, encoder)
    found = training.evaluate_balanced_accuracy(
        head, tenth.texts, tenth.descriptions, tenth.is_positive, encoder
    )
    return replace(head, accuracy=found)


def _build_chinese_classifier(
    train_texts: LabelledTexts, test_sets: Mapping[str, LabelledTexts]
) -> SentimentClassifier:
    """Learned from English reviews and the few Chinese sentences of this project; measured on English ones."""
    rows = np.sort(np.random.default_rng(0).permutation(len(train_texts))[:_MAX_TRANSFER_TEXTS]).astype(
        np.int64
    )
    some, own, encoder = train_texts.take(rows), load_own_sentences(), UniversalSentenceEncoder()
    english: list[Language] = ["en"] * len(some)
    head = fit_sentiment_classifier(
        [*some.texts, *(one.text for one in own)],
        np.append(some.is_positive, [one.is_positive for one in own]),
        language="en",
        languages=[*english, *(one.language for one in own)],
        sample_weight=np.append(np.ones(len(some)), np.full(len(own), _OWN_SENTENCE_WEIGHT)).astype(
            np.float32
        ),
        encoder=encoder,
        config=CROSS_LINGUAL_CONFIG,
        learned_from=SOURCE_CREDITS,
    )
    figures = {}
    for name, texts in test_sets.items():
        asked = texts.take(np.arange(min(len(texts), 300), dtype=np.int64))
        figures[name] = evaluate_accuracy(head, asked.texts, asked.is_positive, encoder)
    head = replace_accuracies(head, figures)
    return replace(head, metadata=replace(head.metadata, language="zh"))
