"""Builds the classifiers that are distributed with this package, from data with free licences.

Imports scikit-learn, so only commands may import this module.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from recommender.language.encoders.use import UniversalSentenceEncoder
from recommender.language.intents.classifier import load_intent_dataset
from recommender.language.preprocessing.corpora import (
    LabelledTexts,
    concatenate_texts,
    split_train_test_rows,
)
from recommender.language.preprocessing.resources import read_resource_rows
from recommender.language.preprocessing.review_datasets import (
    read_clothing_reviews,
    read_drug_reviews,
    read_product_sentences,
    read_pros_and_cons,
)
from recommender.language.preprocessing.text import Language, parse_language
from recommender.language.relevance.classifier import RelevanceClassifier
from recommender.language.relevance.training import (
    evaluate_balanced_accuracy,
    fit_relevance_classifier,
)
from recommender.language.sentiment.classifier import SentimentClassifier
from recommender.language.sentiment.config import (
    SentimentConfig,
    SentimentFitOptions,
)
from recommender.language.sentiment.training import (
    evaluate_accuracy,
    fit_sentiment_classifier,
    replace_accuracies,
)

ENGLISH_CONFIG = SentimentConfig(ratio_power=0.0, inverse_penalty=4.0)
# Without n-grams: opinion words have a sign in each language, and embeddings are shared by the languages.
CROSS_LINGUAL_CONFIG = SentimentConfig(use_ngrams=False, inverse_penalty=1.0, balance_classes=True)
_MAX_TRANSFER_TEXTS = 4_000
_MAX_CROSS_LINGUAL_TEST_TEXTS = 300
_PROJECT_SENTENCE_WEIGHT = 3.0
SOURCE_CREDITS = (
    "Women's E-Commerce Clothing Reviews (CC0); Drug Review Dataset, Druglib.com (UCI, CC BY 4.0); "
    "product reviews of Hu and Liu and of Ding, Liu and Yu, and pros and cons of Ganapathibhotla and Liu (CC BY 4.0); "
    "sentences of this project (CC0)"
)


@dataclass(frozen=True, slots=True)
class ProjectSentence:
    """A labelled sentence that was written for this project."""

    language: Language
    text: str
    is_positive: bool


def read_sources(folder: Path) -> Mapping[str, LabelledTexts]:
    """Reads the source data sets, by the name under which the metadata list their accuracy. Raises DataError."""
    return {
        "clothing": read_clothing_reviews(folder / "reviews-womens-clothing"),
        "drugs": read_drug_reviews(folder / "medical-druglib-reviews"),
        "product sentences": read_product_sentences(folder / "sentiment-en"),
        "pros and cons": read_pros_and_cons(folder / "sentiment-en"),
    }


def build_sentiment_classifiers(
    folder: Path,
) -> tuple[SentimentClassifier, SentimentClassifier]:
    """Builds the English and the Chinese classifier, each with its accuracy on a held-out tenth of every source.

    The accuracies of the Chinese classifier, whose training texts are mostly English, are those on English texts.
    Raises DataError."""
    train_sets, test_sets = {}, {}
    for name, texts in read_sources(folder).items():
        train_rows, test_rows = split_train_test_rows(len(texts))
        train_sets[name] = texts.take(train_rows)
        test_sets[name] = texts.take(test_rows)
    train = concatenate_texts(train_sets.values())
    english = _build_english_classifier(train, test_sets)
    chinese = _build_chinese_classifier(train, test_sets)
    return english, chinese


def load_project_sentences() -> list[ProjectSentence]:
    """Returns the sentences of this project in both languages: short reviews, and sentences whose intent has a polarity."""
    sentences = []
    for label, language, text in read_resource_rows("sentiments.tsv"):
        sentences.append(ProjectSentence(parse_language(language), text, label == "1"))
    for sentence in load_intent_dataset():
        if sentence.intent in ("buy_again", "return", "complain"):
            sentences.append(
                ProjectSentence(
                    sentence.language,
                    sentence.text,
                    sentence.intent == "buy_again",
                )
            )
    return sentences


def _build_english_classifier(
    train: LabelledTexts, test_sets: Mapping[str, LabelledTexts]
) -> SentimentClassifier:
    project_sentences = [sentence for sentence in load_project_sentences() if sentence.language == "en"]
    options = SentimentFitOptions(
        language="en",
        config=ENGLISH_CONFIG,
        learned_from=SOURCE_CREDITS,
    )
    classifier = _fit_with_project_sentences(train, project_sentences, options)
    accuracies = {}
    for name, texts in test_sets.items():
        accuracies[name] = evaluate_accuracy(classifier, texts.texts, texts.is_positive)
    return replace_accuracies(classifier, accuracies)


def _build_chinese_classifier(
    train: LabelledTexts, test_sets: Mapping[str, LabelledTexts]
) -> SentimentClassifier:
    """Trained on a sample of the English texts and on the sentences of this project in both languages."""
    order = np.random.default_rng(0).permutation(len(train))
    sample = train.take(np.sort(order[:_MAX_TRANSFER_TEXTS]).astype(np.int64))
    encoder = UniversalSentenceEncoder()
    # Trained as an English classifier, because the language of most texts is English; declared as Chinese below.
    options = SentimentFitOptions(
        language="en",
        config=CROSS_LINGUAL_CONFIG,
        encoder=encoder,
        learned_from=SOURCE_CREDITS,
    )
    classifier = _fit_with_project_sentences(sample, load_project_sentences(), options)
    accuracies = {}
    for name, texts in test_sets.items():
        n_texts = min(len(texts), _MAX_CROSS_LINGUAL_TEST_TEXTS)
        test = texts.take(np.arange(n_texts, dtype=np.int64))
        accuracies[name] = evaluate_accuracy(classifier, test.texts, test.is_positive, encoder)
    classifier = replace_accuracies(classifier, accuracies)
    return replace(classifier, metadata=replace(classifier.metadata, language="zh"))


def _fit_with_project_sentences(
    english_texts: LabelledTexts,
    project_sentences: Sequence[ProjectSentence],
    options: SentimentFitOptions,
) -> SentimentClassifier:
    """English texts have weight 1, the sentences of this project _PROJECT_SENTENCE_WEIGHT."""
    texts = list(english_texts.texts)
    is_positive = english_texts.is_positive.tolist()
    languages: list[Language] = ["en"] * len(texts)
    for sentence in project_sentences:
        texts.append(sentence.text)
        is_positive.append(sentence.is_positive)
        languages.append(sentence.language)
    sample_weight = np.ones(len(texts), np.float32)
    sample_weight[len(english_texts) :] = _PROJECT_SENTENCE_WEIGHT
    return fit_sentiment_classifier(
        texts,
        np.array(is_positive, np.bool_),
        options,
        languages=languages,
        sample_weight=sample_weight,
    )


def build_relevance_classifier(folder: Path) -> RelevanceClassifier:
    """Builds the classifier from comments on garments and drugs and their descriptions. Raises DataError."""
    clothing = read_clothing_reviews(folder / "reviews-womens-clothing")
    drugs = read_drug_reviews(folder / "medical-druglib-reviews")
    texts = clothing + drugs
    train_rows, test_rows = split_train_test_rows(len(texts))
    # Every n-th training row leaves about _MAX_TRANSFER_TEXTS of them from both sources.
    train_step = max(len(train_rows) // _MAX_TRANSFER_TEXTS, 1)
    train = texts.take(train_rows[::train_step])
    test = texts.take(test_rows[::4])
    encoder = UniversalSentenceEncoder()
    classifier = fit_relevance_classifier(train, encoder)
    accuracy = evaluate_balanced_accuracy(classifier, test, encoder)
    return replace(classifier, accuracy=accuracy)
