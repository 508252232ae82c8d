"""The commands refuse unusable input with one sentence and write their results."""

from __future__ import annotations

import gzip
import io
import json
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from recommender.language.__main__ import run_command
from recommender.language.commands import evaluate
from recommender.language.encoders.use import UniversalSentenceEncoder
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


def write_table(path: Path) -> Path:
    with gzip.open(path, "wt", encoding="utf-8") as file:
        file.write("label,review\n")
        for n, (text, label) in enumerate(ROWS):
            file.write(f'{label},"{text}{n}"\n')
    return path


def run_evaluation(folder: Path, task: str) -> dict[str, Any]:
    """The metrics that `evaluate` writes as JSON."""
    path = folder / "metrics.json"
    arguments = ["evaluate", "--data", str(folder), "--tasks", task, "--json", str(path)]
    run_command(arguments, out=io.StringIO())
    metrics: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return metrics


def run_training(folder: Path, option: str) -> tuple[SentimentClassifier, str]:
    """The classifier that `train-sentiment` writes, and its output."""
    out = io.StringIO()
    table = write_table(folder / "own.csv.gz")
    arguments = ["train-sentiment", "--data", str(table), "--language", "zh", "--out", str(folder), option]
    run_command(arguments, out=out)
    return SentimentClassifier.load(folder / "sentiment-zh.safetensors"), out.getvalue()


def test_a_classifier_is_trained_from_the_operators_reviews(tmp_path: Path) -> None:
    classifier, output = run_training(tmp_path, "--evaluate")
    assert (classifier.metadata.texts, classifier.metadata.learned_from) == (len(ROWS), "own.csv.gz")
    assert classifier.metadata.measured["held-out tenth"] > 0.9
    assert "accuracy held-out tenth" in output


def test_a_classifier_can_start_from_another(tmp_path: Path) -> None:
    run_training(tmp_path, "--evaluate")
    classifier, _ = run_training(tmp_path, f"--initial={tmp_path / 'sentiment-zh.safetensors'}")
    assert (classifier.score(["好吃，满意", "难吃，差评"]) > 0).tolist() == [True, False]


def test_the_network_option_adds_a_network(tmp_path: Path) -> None:
    classifier, output = run_training(tmp_path, "--network")
    assert classifier.network is not None
    assert (classifier.network.score(["好吃，满意", "难吃，差评"]) > 0).tolist() == [True, False]
    assert "100%  network\n" in output


def test_a_bert_is_tuned_if_the_network_option_names_a_folder(bert_folder: Path, tmp_path: Path) -> None:
    classifier, output = run_training(tmp_path, f"--network={bert_folder}")
    assert classifier.network is not None
    assert json.loads(classifier.network.tokenizer)["model"]["vocab"]["phone"] > 0
    assert "100%  network\n" in output


class InvertedNetwork(OnnxSentimentNetwork):
    """A trained network whose scores outweigh those of the words with the opposite sign."""

    def score(self, texts: Sequence[str]) -> Float32Array:
        return np.array([-100 if text.startswith("good") else 100 for text in texts], np.float32)


def test_sst2_is_evaluated_with_the_requested_network() -> None:
    texts = tuple(f"{word} film number {n}" for n in range(40) for word in ("good", "bad"))
    phrases = LabelledTexts(texts, np.array([text.startswith("good") for text in texts]))
    training_texts = list[tuple[str, ...]]()

    def train_network(
        texts: Sequence[str], _is_positive: BoolArray, _initial: OnnxSentimentNetwork | None
    ) -> OnnxSentimentNetwork:
        training_texts.append(tuple(texts))
        return InvertedNetwork(b"", b"")

    assert evaluate._evaluate_sst2(phrases, phrases, train_network)["accuracy"] == 0.0
    assert evaluate._evaluate_sst2(phrases, phrases, None)["accuracy"] == 1.0
    assert training_texts == [texts]


def test_the_common_network_is_tuned_to_each_smaller_set_and_no_network_to_a_test_text(
    tmp_path: Path,
) -> None:
    paths = {"small": write_table(tmp_path / "small.csv.gz"), "large": write_table(tmp_path / "large.csv.gz")}
    with gzip.open(paths["large"], "at", encoding="utf-8") as file:
        file.writelines(f'{n % 2},"{"好" if n % 2 else "坏"}的第{n}个"\n' for n in range(300))
    calls = list[tuple[set[str], OnnxSentimentNetwork | None]]()
    networks = [InvertedNetwork(b"", b"common"), InvertedNetwork(b"", b"small")]

    def train_network(
        texts: Sequence[str], _is_positive: BoolArray, initial: OnnxSentimentNetwork | None
    ) -> OnnxSentimentNetwork:
        calls.append((set(texts), initial))
        return networks[len(calls) - 1]

    metrics = dict(
        evaluate_chinese_sets(
            paths,
            default_classifier=load_default_sentiment_classifier("zh"),
            encoder=UniversalSentenceEncoder(),
            seed=0,
            train_network=train_network,
        )
    )
    (all_texts, first_initial), (small_texts, second_initial) = calls
    assert (first_initial, second_initial) == (None, networks[0])
    assert small_texts < all_texts
    test_texts = set[str]()
    for path in paths.values():
        table = read_labelled_table(path)
        _, test_rows = split_train_test_rows(len(table), seed=0)
        test_texts.update(table.take(test_rows).texts)
    assert len(test_texts) > 50
    assert not all_texts & test_texts
    assert list(metrics) == ["large", "small"]


def test_only_the_requested_languages_are_evaluated(tmp_path: Path) -> None:
    write_table(tmp_path / "waimai_10k.csv.gz")
    arguments = ["evaluate", "--data", str(tmp_path), "--tasks", "sentiment", "--languages", "en"]
    with pytest.raises(SystemExit, match="nothing to evaluate"):
        run_command(arguments, out=io.StringIO())


def test_metrics_of_sentiment_are_written(tmp_path: Path) -> None:
    write_table(tmp_path / "waimai_10k.csv.gz")
    metrics = run_evaluation(tmp_path, "sentiment")
    assert set(metrics) == {"takeaway"}
    assert metrics["takeaway"]["n_test"] == len(ROWS) // 10
    assert metrics["takeaway"]["accuracy"] > 0.9
    assert metrics["takeaway"]["reviews_per_second"] > 0


def test_aspects_are_evaluated_on_annotated_reviews(tmp_path: Path) -> None:
    good, bad = "battery[+2]##the battery is great .", "zoom[-1], screen[-2][u]##the zoom is terrible ."
    for number in (1, 2):
        with zipfile.ZipFile(tmp_path / f"product_reviews_{number}.zip", "w") as archive:
            for product in range(5):
                lines = [good, bad, "##we went to the park ."] * 10
                archive.writestr(
                    f"p{number}/product{number}{product}.txt", "\n".join(["* remark", "[t]title", *lines])
                )
    metrics = run_evaluation(tmp_path, "aspects")["aspects of product reviews"]
    assert (metrics["products"], metrics["sentences"]) == (10, 300)
    assert metrics["aspects"]["f1"] > 0.9
    assert metrics["polarity"] == 1.0


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ("--data missing.csv --language zh", "cannot be read"),
        ("--data empty.csv --language zh", "not a table"),
        ("--data other.csv --language zh", "needs a column label"),
        ("--data labels.csv --language zh", "no text with a label"),
        ("--data own.csv.gz", "State the language"),
        ("--data own.csv.gz --build-defaults --network", "exclude each other"),
        ("--data own.csv.gz --language zh --encoder nowhere", "holds no encoder"),
        ("--data own.csv.gz --language zh --network nowhere", "There is no encoder 'nowhere'"),
        ("--data own.csv.gz --language zh --network=", "There is no encoder ''"),
        ("--data own.csv.gz --language zh --out nowhere", "There is no folder"),
        ("--data broken.csv.gz --language zh", "cannot be read"),
    ],
)
def test_unusable_input_is_refused_with_one_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: str, sentence: str
) -> None:
    monkeypatch.chdir(tmp_path)
    write_table(tmp_path / "own.csv.gz")
    (tmp_path / "empty.csv").write_text("")
    (tmp_path / "other.csv").write_text("a,b\n1,2\n")
    (tmp_path / "labels.csv").write_text("label,text\nmaybe,fine\n")
    (tmp_path / "broken.csv.gz").write_bytes(b"\x1f\x8b\x08nothing")
    with pytest.raises(SystemExit, match=sentence):
        run_command(["train-sentiment", *arguments.split()], out=io.StringIO())


def test_a_folder_without_data_sets_is_refused(tmp_path: Path) -> None:
    arguments = ["evaluate", "--data", str(tmp_path), "--tasks", "sentiment"]
    with pytest.raises(SystemExit, match="nothing to evaluate"):
        run_command(arguments, out=io.StringIO())
