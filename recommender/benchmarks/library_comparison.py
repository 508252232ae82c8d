"""Other libraries on the same split, machine and run: implicit's ALS and BPR, and rectools' SASRec.

Loads torch, and rectools where `make env-peers` installed it: measuring processes only. Time is processor time,
so that other work on the machine does not decide who is quick."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from scipy import sparse
from threadpoolctl import threadpool_limits

from recommender.algorithms.common.co_occurrence import build_interaction_matrix
from recommender.algorithms.sequential.sasrec import SASRecConfig
from recommender.algorithms.sequential.sasrec_training import SASRecTrainer
from recommender.dataset import Split
from recommender.evaluation.evaluator import MetricAccumulator, choose_batch_size, evaluate_scorer
from recommender.evaluation.metrics import ndcg_at_k, recall_at_k
from recommender.types import (
    Float32Array,
    InsufficientDataError,
    Int32Array,
    Int64Array,
    ProgressCallback,
    ignore_progress,
)


@dataclass(frozen=True)
class LibraryBenchmarkResult:
    """How good a model was after how much training. `seconds` are processor seconds of fitting alone."""

    model: str
    epochs: int
    seconds: float
    ndcg: float
    recall: float

    def to_json(self) -> dict[str, str | int | float]:
        return {
            "model": self.model,
            "epochs": self.epochs,
            "processor_seconds": self.seconds,
            "ndcg": self.ndcg,
            "recall": self.recall,
        }


def evaluate_lepton_sasrec(
    split: Split, config: SASRecConfig, *, k: int, seed: int, report: ProgressCallback = ignore_progress
) -> LibraryBenchmarkResult:
    """The sequence transformer of the project, fitted on the split's training part alone."""
    member = SASRecTrainer(config, on_progress=report)
    started = time.process_time()
    member.fit(split.train, np.random.default_rng(seed))
    seconds = time.process_time() - started
    return _build_result(
        "transformer", config.epochs, seconds, evaluate_scorer(member.score, split, k=k).collect_ranks(), k
    )


def evaluate_implicit_als(split: Split, *, k: int, seed: int, factors: int = 128) -> LibraryBenchmarkResult:
    """Implicit feedback by alternating least squares, the library's defaults but for the size."""
    from implicit.cpu.als import AlternatingLeastSquares  # noqa: PLC0415

    with threadpool_limits(1, "blas"):
        model = AlternatingLeastSquares(factors=factors, num_threads=1, random_state=seed)
    return _evaluate_factorization("implicit ALS", model, split, k)


def evaluate_implicit_bpr(split: Split, *, k: int, seed: int, factors: int = 128) -> LibraryBenchmarkResult:
    """Bayesian personalised ranking, the library's defaults but for the size."""
    from implicit.cpu.bpr import BayesianPersonalizedRanking  # noqa: PLC0415

    with threadpool_limits(1, "blas"):
        model = BayesianPersonalizedRanking(factors=factors, num_threads=1, random_state=seed)
    return _evaluate_factorization("implicit BPR", model, split, k)


def _evaluate_factorization(name: str, model: object, split: Split, k: int) -> LibraryBenchmarkResult:
    choices = sparse.csr_matrix(build_interaction_matrix(split.train.histories, split.train.n_items))
    started = time.process_time()
    with threadpool_limits(1, "blas"):
        model.fit(choices, show_progress=False)  # type: ignore[attr-defined]
    seconds = time.process_time() - started
    people = np.asarray(model.user_factors, np.float32)  # type: ignore[attr-defined]
    things = np.asarray(model.item_factors, np.float32)  # type: ignore[attr-defined]
    tally = MetricAccumulator(split.train.n_items, k)
    for rows, part in split.histories.drop_unknown_and_repeats(split.train.n_items).iter_chunks(
        choose_batch_size(split.train.n_items)
    ):
        scores: Float32Array = people[split.user[rows]] @ things.T
        tally.add_batch(scores, part, split.target[rows])
    return _build_result(name, int(model.iterations), seconds, tally.collect_ranks(), k)  # type: ignore[attr-defined]


def evaluate_rectools_sasrec(
    split: Split, *, k: int, seed: int, max_seconds: float
) -> Iterator[LibraryBenchmarkResult]:
    """After every epoch until `most_seconds` of the processor are spent: SASRec with sampled softmax, 64 factors, 1 block.

    Raises CannotFit where rectools is not installed."""
    try:
        import pandas as pd  # noqa: PLC0415
        from rectools import Columns  # noqa: PLC0415
        from rectools.dataset import Dataset as Table  # noqa: PLC0415
        from rectools.models import SASRecModel  # noqa: PLC0415
    except ImportError as missing:
        raise InsufficientDataError("rectools is not installed: make env-peers.") from missing
    import torch  # noqa: PLC0415

    torch.manual_seed(seed)
    table = Table.construct(
        pd.DataFrame(
            {
                Columns.User: np.repeat(np.arange(split.train.n_users), np.diff(split.train.indptr)),
                Columns.Item: split.train.item.astype(np.int64),
                Columns.Weight: 1.0,
                # The order of a history is all that counts; one event a minute keeps it.
                Columns.Datetime: pd.to_datetime(np.arange(split.train.n_events) * 60, unit="s"),
            }
        )
    )
    model = SASRecModel(
        n_factors=64, n_blocks=1, n_heads=1, dropout_rate=0.4, session_max_len=50, loss="sampled_softmax",
        n_negatives=256, lr=1e-3, batch_size=128, verbose=0,
    )  # fmt: skip
    seconds, epochs = 0.0, 0
    while seconds < max_seconds:
        started = time.process_time()
        model.fit_partial(table, min_epochs=1, max_epochs=1)
        seconds += time.process_time() - started
        epochs += 1
        shown = model.recommend(users=split.user, dataset=table, k=k, filter_viewed=True)
        yield _build_result("rectools SASRec", epochs, seconds, _rank_targets(shown, split, k), k)


def _rank_targets(recommended: object, split: Split, k: int) -> Int64Array:
    """The place of each case's target in its list, k where it is not in it."""
    from rectools import Columns  # noqa: PLC0415

    case = np.full(int(split.user.max(initial=0)) + 1, -1, np.int64)
    case[split.user] = np.arange(len(split))
    owner = case[recommended[Columns.User].to_numpy()]  # type: ignore[index]
    item: Int32Array = recommended[Columns.Item].to_numpy()  # type: ignore[index]
    place: Int64Array = recommended[Columns.Rank].to_numpy() - 1  # type: ignore[index]
    found = item == split.target[owner]
    ranks = np.full(len(split), k, np.int64)
    ranks[owner[found]] = place[found]
    return ranks


def _build_result(
    model: str, epochs: int, seconds: float, ranks: Int64Array, k: int
) -> LibraryBenchmarkResult:
    return LibraryBenchmarkResult(
        model, epochs, seconds, float(ndcg_at_k(ranks, k).mean()), float(recall_at_k(ranks, k).mean())
    )
