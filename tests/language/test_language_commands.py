"""The commands refuse with one sentence and write what they promise."""

from __future__ import annotations

import gzip
import io
import json
import zipfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from django.core.management import call_command
from django.core.management.base import CommandError

from recommender.language.commands import evaluate
from recommender.language.encoders.base import UniversalSentenceEncoder
from recommender.language.preprocessing.corpora import (
    LabelledTexts,
    read_labelled_table,
    split_train_test_rows,
)
from recommender.language.sentiment.classifier import SentimentClassifier, load_default_sentiment_classifier
from recommender.language.sentiment.evaluation_chinese import evaluate_chinese_sets
from recommender.language.sentiment.onnx_network import OnnxSentimentNetwork
from recommender.types import BoolArray, Float32Array

ROWS = [("很好吃，推荐", 1), ("难吃，再也不来", 0), ("送得快，满意", 1), ("太慢了，差评", 0)] * 60


def table(path: Path) -> Path:
    with gzip.open(path, "wt", encoding="utf-8") as file:
        file.write(
            "label,review\n" + "".join(f'{label},"{text}{n}"\n' for n, (text, label) in enumerate(ROWS))
        )
    return path


def measured(folder: Path, task: str, figures: Path) -> None:
    asked = ["--data", str(folder), "--tasks", task, "--json", str(figures)]
    call_command("evaluate_language", *asked, stdout=io.StringIO())


def learned(folder: Path, asked: str) -> tuple[SentimentClassifier, str]:
    """A head of the operator's own reviews, and what the command said."""
    out = io.StringIO()
    given = ["--data", str(table(folder / "own.csv.gz")), "--language", "zh", "--out", str(folder)]
    call_command("train_sentiment", *given, asked, stdout=out)
    return SentimentClassifier.load(folder / "sentiment-zh.safetensors"), out.getvalue()


def test_a_head_is_learned_from_the_operators_own_reviews(tmp_path: Path) -> None:
    head, said = learned(tmp_path, "--measure")
    assert (head.metadata.texts, head.metadata.learned_from) == (len(ROWS), "own.csv.gz")
    assert head.metadata.measured["held-out tenth"] > 0.9
    assert "accuracy held-out tenth" in said


def test_a_network_is_learned_beside_the_words_where_one_is_asked_for(tmp_path: Path) -> None:
    head, said = learned(tmp_path, "--network")
    assert head.network is not None
    assert (head.network.score(["好吃，满意", "难吃，差评"]) > 0).tolist() == [True, False]
    assert "network: 100%" in said.splitlines()


def test_a_transformer_is_tuned_where_a_folder_is_named(bert_folder: Path, tmp_path: Path) -> None:
    head, said = learned(tmp_path, f"--network={bert_folder}")
    assert head.network is not None
    assert json.loads(head.network.tokenizer)["model"]["vocab"]["phone"] > 0
    assert "network: 100%" in said.splitlines()


class Contrary(OnnxSentimentNetwork):
    """Stands in for a training, so that what it was given and what comes of it can be seen."""

    def score(self, texts: Sequence[str]) -> Float32Array:
        return np.array([-100 if text.startswith("good") else 100 for text in texts], np.float32)


def test_a_phrase_of_english_is_read_by_the_network_that_was_asked_for() -> None:
    texts = tuple(f"{word} film number {n}" for n in range(40) for word in ("good", "bad"))
    phrases = LabelledTexts(texts, np.array([text.startswith("good") for text in texts]))
    asked = list[tuple[str, ...]]()

    def learning(
        some: Sequence[str], _praise: BoolArray, _start: OnnxSentimentNetwork | None
    ) -> OnnxSentimentNetwork:
        asked.append(tuple(some))
        return Contrary(b"", b"")

    assert evaluate._evaluate_sst2(phrases, phrases, learning)["accuracy"] == 0.0
    assert evaluate._evaluate_sst2(phrases, phrases, None)["accuracy"] == 1.0
    assert asked == [texts]


def test_a_common_network_is_tuned_to_each_smaller_set_and_none_sees_a_tenth(tmp_path: Path) -> None:
    paths = {"small": table(tmp_path / "small.csv.gz"), "large": table(tmp_path / "large.csv.gz")}
    with gzip.open(paths["large"], "at", encoding="utf-8") as file:
        file.writelines(f'{n % 2},"{"好" if n % 2 else "坏"}的第{n}个"\n' for n in range(300))
    calls = list[tuple[set[str], OnnxSentimentNetwork | None]]()
    made = [Contrary(b"", b"common"), Contrary(b"", b"small")]

    def learning(
        some: Sequence[str], _praise: BoolArray, start: OnnxSentimentNetwork | None
    ) -> OnnxSentimentNetwork:
        calls.append((set(some), start))
        return made[len(calls) - 1]

    found = dict(
        evaluate_chinese_sets(
            paths,
            default_classifier=load_default_sentiment_classifier("zh"),
            encoder=UniversalSentenceEncoder(),
            seed=0,
            train_network=learning,
        )
    )
    (both, nothing), (small, common) = calls
    assert (nothing, common) == (None, made[0])
    assert small < both
    tenths = {
        text
        for path in paths.values()
        for text in read_labelled_table(path)
        .take(split_train_test_rows(len(read_labelled_table(path)), seed=0)[1])
        .texts
    }
    assert len(tenths) > 50
    assert not both & tenths
    assert list(found) == ["large", "small"]


def test_only_the_languages_asked_for_are_measured(tmp_path: Path) -> None:
    table(tmp_path / "waimai_10k.csv.gz")
    asked = ["--data", str(tmp_path), "--tasks", "sentiment", "--languages", "en"]
    with pytest.raises(CommandError, match="nothing to measure"):
        call_command("evaluate_language", *asked, stdout=io.StringIO())


def test_what_was_measured_is_written(tmp_path: Path) -> None:
    table(tmp_path / "waimai_10k.csv.gz")
    figures = tmp_path / "figures.json"
    measured(tmp_path, "sentiment", figures)
    found = json.loads(figures.read_text(encoding="utf-8"))
    assert set(found) == {"takeaway"}
    assert found["takeaway"]["measured"] == len(ROWS) // 10
    assert found["takeaway"]["accuracy"] > 0.9
    assert found["takeaway"]["reviews_per_second"] > 0


def test_aspects_are_measured_on_annotated_reviews(tmp_path: Path) -> None:
    good, bad = "battery[+2]##the battery is great .", "zoom[-1], screen[-2][u]##the zoom is terrible ."
    for number in (1, 2):
        with zipfile.ZipFile(tmp_path / f"product_reviews_{number}.zip", "w") as archive:
            for product in range(5):
                lines = [good, bad, "##we went to the park ."] * 10
                archive.writestr(
                    f"p{number}/product{number}{product}.txt", "\n".join(["* remark", "[t]title", *lines])
                )
    figures = tmp_path / "figures.json"
    measured(tmp_path, "aspects", figures)
    found = json.loads(figures.read_text(encoding="utf-8"))["aspects of product reviews"]
    assert (found["products"], found["sentences"]) == (10, 300)
    assert found["aspects"]["f1"] > 0.9
    assert found["polarity"] == 1.0


@pytest.mark.parametrize(
    ("asked", "sentence"),
    [
        ("--data missing.csv --language zh", "cannot be read"),
        ("--data empty.csv --language zh", "not a table"),
        ("--data other.csv --language zh", "needs a column label"),
        ("--data labels.csv --language zh", "no text with a label"),
        ("--data own.csv.gz", "Say which language"),
        ("--data own.csv.gz --shipped --network", "do not go together"),
        ("--data own.csv.gz --language zh --encoder nowhere", "holds no encoder"),
        ("--data own.csv.gz --language zh --network nowhere", "There is no encoder 'nowhere'"),
        ("--data own.csv.gz --language zh --network=", "There is no encoder ''"),
        ("--data own.csv.gz --language zh --out nowhere", "There is no folder"),
        ("--data broken.csv.gz --language zh", "cannot be read"),
    ],
)
def test_wrong_input_is_one_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, asked: str, sentence: str
) -> None:
    monkeypatch.chdir(tmp_path)
    table(tmp_path / "own.csv.gz")
    (tmp_path / "empty.csv").write_text("")
    (tmp_path / "other.csv").write_text("a,b\n1,2\n")
    (tmp_path / "labels.csv").write_text("label,text\nmaybe,fine\n")
    (tmp_path / "broken.csv.gz").write_bytes(b"\x1f\x8b\x08nothing")
    with pytest.raises(CommandError, match=sentence):
        call_command("train_sentiment", *asked.split(), stdout=io.StringIO())


def test_a_folder_without_anything_to_measure_says_so(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="nothing to measure"):
        call_command(
            "evaluate_language", "--data", str(tmp_path), "--tasks", "sentiment", stdout=io.StringIO()
        )
