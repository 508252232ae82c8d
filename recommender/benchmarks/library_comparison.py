"""Other libraries on the same split, machine and run: implicit's ALS and BPR, and RecTools' SASRec.

Loads torch, and rectools where `make env-peers` installed it. Time is processor time, so that other work on the
machine does not change the result.
"""

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
    """Mean nDCG@k and recall@k after a number of epochs; `seconds` is the processor time of fitting alone."""

    model: str
    epochs: int
    seconds: float
    ndcg: float
    recall: float

    def to_json(self) -> dict[str, str | int | float]:
        """One entry of what `compare-libraries --json` writes."""
        return {
            "model": self.model,
            "epochs": self.epochs,
            "processor_seconds": self.seconds,
            "ndcg": self.ndcg,
            "recall": self.recall,
        }


def evaluate_lepton_sasrec(
    split: Split,
    config: SASRecConfig,
    *,
    k: int,
    seed: int,
    report: ProgressCallback = ignore_progress,
) -> LibraryBenchmarkResult:
    """This project's SASRec, fitted on the training data of the split alone."""
    model = SASRecTrainer(config, on_progress=report)
    started = time.process_time()
    model.fit(split.train, np.random.default_rng(seed))
    seconds = time.process_time() - started
    ranks = evaluate_scorer(model.score, split, k=k).collect_ranks()
    return _build_result("transformer", config.epochs, seconds, ranks, k)


def evaluate_implicit_als(
    split: Split,
    *,
    k: int,
    seed: int,
    factors: int = 128,
) -> LibraryBenchmarkResult:
    """implicit's alternating least squares with the library's defaults except for the number of factors."""
    from implicit.cpu.als import AlternatingLeastSquares  # noqa: PLC0415

    with threadpool_limits(1, "blas"):
        model = AlternatingLeastSquares(
            factors=factors,
            num_threads=1,
            random_state=seed,
        )
    return _evaluate_factorization("implicit ALS", model, split, k)


def evaluate_implicit_bpr(
    split: Split,
    *,
    k: int,
    seed: int,
    factors: int = 128,
) -> LibraryBenchmarkResult:
    """implicit's Bayesian personalised ranking with the library's defaults except for the number of factors."""
    from implicit.cpu.bpr import BayesianPersonalizedRanking  # noqa: PLC0415

    with threadpool_limits(1, "blas"):
        model = BayesianPersonalizedRanking(
            factors=factors,
            num_threads=1,
            random_state=seed,
        )
    return _evaluate_factorization("implicit BPR", model, split, k)


def _evaluate_factorization(
    name: str,
    model: object,
    split: Split,
    k: int,
) -> LibraryBenchmarkResult:
    train = split.train
    interactions = sparse.csr_matrix(build_interaction_matrix(train.histories, train.n_items))
    started = time.process_time()
    with threadpool_limits(1, "blas"):
        model.fit(interactions, show_progress=False)  # type: ignore[attr-defined]
    seconds = time.process_time() - started
    user_factors = np.asarray(model.user_factors, np.float32)  # type: ignore[attr-defined]
    item_factors = np.asarray(model.item_factors, np.float32)  # type: ignore[attr-defined]
    accumulator = MetricAccumulator(train.n_items, k)
    histories = split.histories.drop_unknown_and_repeats(train.n_items)
    for rows, chunk in histories.iter_chunks(choose_batch_size(train.n_items)):
        scores: Float32Array = user_factors[split.user[rows]] @ item_factors.T
        accumulator.add_batch(scores, chunk, split.target[rows])
    epochs = int(model.iterations)  # type: ignore[attr-defined]
    return _build_result(name, epochs, seconds, accumulator.collect_ranks(), k)


def evaluate_rectools_sasrec(
    split: Split,
    *,
    k: int,
    seed: int,
    max_seconds: float,
) -> Iterator[LibraryBenchmarkResult]:
    """Yields a result after every epoch until `max_seconds` of processor time are spent.

    The model is SASRec with sampled softmax, 64 factors and one block. Raises InsufficientDataError where rectools is
    not installed.
    """
    try:
        import pandas as pd  # noqa: PLC0415
        from rectools import Columns  # noqa: PLC0415
        from rectools.dataset import Dataset as RecToolsDataset  # noqa: PLC0415
        from rectools.models import SASRecModel  # noqa: PLC0415
    except ImportError as error:
        raise InsufficientDataError("rectools is not installed: make env-peers.") from error
    import torch  # noqa: PLC0415

    torch.manual_seed(seed)
    train = split.train
    interactions = pd.DataFrame(
        {
            Columns.User: np.repeat(np.arange(train.n_users), np.diff(train.indptr)),
            Columns.Item: train.item.astype(np.int64),
            Columns.Weight: 1.0,
            # SASRec reads only the order of a history; one event per minute keeps it.
            Columns.Datetime: pd.to_datetime(np.arange(train.n_events) * 60, unit="s"),
        }
    )
    dataset = RecToolsDataset.construct(interactions)
    model = SASRecModel(
        n_factors=64, n_blocks=1, n_heads=1, dropout_rate=0.4, session_max_len=50, loss="sampled_softmax",
        n_negatives=256, lr=1e-3, batch_size=128, verbose=0,
    )  # fmt: skip
    seconds, epochs = 0.0, 0
    while seconds < max_seconds:
        started = time.process_time()
        model.fit_partial(dataset, min_epochs=1, max_epochs=1)
        seconds += time.process_time() - started
        epochs += 1
        recommended = model.recommend(
            users=split.user,
            dataset=dataset,
            k=k,
            filter_viewed=True,
        )
        yield _build_result("rectools SASRec", epochs, seconds, _rank_targets(recommended, split, k), k)


def _rank_targets(recommended: object, split: Split, k: int) -> Int64Array:
    """Rank of each case's target in its list, shape (cases,); k where the list does not contain it."""
    from rectools import Columns  # noqa: PLC0415

    # Case number by user number; -1 for users without a case.
    case_of_user = np.full(int(split.user.max(initial=0)) + 1, -1, np.int64)
    case_of_user[split.user] = np.arange(len(split))
    cases = case_of_user[recommended[Columns.User].to_numpy()]  # type: ignore[index]
    items: Int32Array = recommended[Columns.Item].to_numpy()  # type: ignore[index]
    # RecTools counts ranks from 1.
    item_ranks: Int64Array = recommended[Columns.Rank].to_numpy() - 1  # type: ignore[index]
    is_target = items == split.target[cases]
    ranks = np.full(len(split), k, np.int64)
    ranks[cases[is_target]] = item_ranks[is_target]
    return ranks


def _build_result(
    model: str,
    epochs: int,
    seconds: float,
    ranks: Int64Array,
    k: int,
) -> LibraryBenchmarkResult:
    return LibraryBenchmarkResult(
        model=model,
        epochs=epochs,
        seconds=seconds,
        ndcg=float(ndcg_at_k(ranks, k).mean()),
        recall=float(recall_at_k(ranks, k).mean()),
    )
