"""Makes the heads that come with the package, from data that may be passed on. Loads scikit-learn: commands only."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from recommender.language import agreement_training
from recommender.language.agreement import AgreementHead
from recommender.language.corpora import Labelled, clothing, drugs, held_out, product_sentences, pros_and_cons
from recommender.language.encoders import Multilingual
from recommender.language.intent import labelled
from recommender.language.packaged import resource
from recommender.language.sentiment import SentimentHead
from recommender.language.sentiment_training import SentimentConfig, accuracy, fit, with_figures
from recommender.language.texts import Language

WORDS = SentimentConfig(ratio=0.0, strength=4.0)
# No words: what carries over to Chinese are the signs of opinion words and a vector that many languages share.
TRANSFERRED = SentimentConfig(words=False, strength=1.0, balanced=True)
_MOST_TRANSFERRED, _OWN_COUNTS = 4_000, 3.0
SOURCES = (
    "Women's E-Commerce Clothing Reviews (CC0); Drug Review Dataset, Druglib.com (UCI, CC BY 4.0); "
    "product reviews of Hu and Liu and of Ding, Liu and Yu, and pros and cons of Ganapathibhotla and Liu (CC BY 4.0); "
    "sentences of this project (CC0)"
)


def sources(folder: Path) -> Mapping[str, Labelled]:
    """By the name under which their held-out tenth is quoted. Raises DataError."""
    return {
        "clothing": clothing(folder / "reviews-womens-clothing"),
        "drugs": drugs(folder / "medical-druglib-reviews"),
        "product sentences": product_sentences(folder / "sentiment-en"),
        "pros and cons": pros_and_cons(folder / "sentiment-en"),
    }


def heads(folder: Path) -> tuple[SentimentHead, SentimentHead]:
    """English and Chinese, each with its accuracy on the tenth of every source that it has not learned from; for the
    Chinese head, which has seen no Chinese, those figures are of English texts."""
    told = sources(folder)
    rest, tenth = {}, {}
    for name, texts in told.items():
        learn, measured = held_out(len(texts))
        rest[name], tenth[name] = texts.take(learn), texts.take(measured)
    everything = sum(rest.values(), Labelled((), np.empty(0, np.bool_)))
    own = [one for one in own_sentences() if one.language == "en"]
    english = fit(
        [*everything.texts, *(one.text for one in own)],
        np.append(everything.praise, [one.praise for one in own]),
        language="en",
        config=WORDS,
        counts=np.append(np.ones(len(everything)), np.full(len(own), _OWN_COUNTS)).astype(np.float32),
        learned_from=SOURCES,
    )
    english = with_figures(
        english, {name: accuracy(english, texts.texts, texts.praise) for name, texts in tenth.items()}
    )
    return english, _transferred(everything, tenth)


@dataclass(frozen=True, slots=True)
class Own:
    language: Language
    text: str
    praise: bool


def own_sentences() -> list[Own]:
    """What was written for this project, in both languages: short reviews, and intents that tell praise from blame."""
    rows = [line.split("\t") for line in resource("sentiments.tsv").splitlines() if line[:1] != "#"]
    short = [Own("zh" if language == "zh" else "en", text, label == "1") for label, language, text in rows]
    return short + [
        Own(one.language, one.text, one.intent == "buy_again")
        for one in labelled()
        if one.intent in ("buy_again", "return", "complain")
    ]


def agreement(folder: Path) -> AgreementHead:
    """Learned from comments on garments and drugs, and their descriptions."""
    told = clothing(folder / "reviews-womens-clothing") + drugs(folder / "medical-druglib-reviews")
    learn, asked = held_out(len(told))
    encoder = Multilingual()
    rest, tenth = told.take(learn[:: max(len(learn) // _MOST_TRANSFERRED, 1)]), told.take(asked[::4])
    head = agreement_training.fit(rest.texts, rest.about, rest.praise, encoder)
    found = agreement_training.balanced_accuracy(head, tenth.texts, tenth.about, tenth.praise, encoder)
    return replace(head, accuracy=found)


def _transferred(everything: Labelled, tenth: Mapping[str, Labelled]) -> SentimentHead:
    """Learned from English reviews and the few Chinese sentences of this project; measured on English ones."""
    rows = np.sort(np.random.default_rng(0).permutation(len(everything))[:_MOST_TRANSFERRED]).astype(np.int64)
    some, own, encoder = everything.take(rows), own_sentences(), Multilingual()
    english: list[Language] = ["en"] * len(some)
    head = fit(
        [*some.texts, *(one.text for one in own)],
        np.append(some.praise, [one.praise for one in own]),
        language="en",
        spoken=[*english, *(one.language for one in own)],
        counts=np.append(np.ones(len(some)), np.full(len(own), _OWN_COUNTS)).astype(np.float32),
        encoder=encoder,
        config=TRANSFERRED,
        learned_from=SOURCES,
    )
    figures = {}
    for name, texts in tenth.items():
        asked = texts.take(np.arange(min(len(texts), 300), dtype=np.int64))
        figures[name] = accuracy(head, asked.texts, asked.praise, encoder)
    head = with_figures(head, figures)
    return replace(head, card=replace(head.card, language="zh"))
