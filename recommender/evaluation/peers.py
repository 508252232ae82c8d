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

from recommender.algorithms.co_occurrence import choices_of
from recommender.algorithms.sequence import SequenceConfig
from recommender.algorithms.sequence_training import SequenceTrainer
from recommender.dataset import Split
from recommender.evaluation.measure import Tally, measure, rows_at_once
from recommender.evaluation.metrics import gains, hits
from recommender.types import CannotFit, Floats, Ints, Longs, Report, silent


@dataclass(frozen=True)
class Standing:
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


def our_transformer(
    split: Split, config: SequenceConfig, *, k: int, seed: int, report: Report = silent
) -> Standing:
    """The sequence transformer of the project, fitted on the split's training part alone."""
    member = SequenceTrainer(config, report=report)
    started = time.process_time()
    member.fit(split.train, np.random.default_rng(seed))
    seconds = time.process_time() - started
    return _standing("transformer", config.epochs, seconds, measure(member.score, split, k=k).all_ranks(), k)


def implicit_als(split: Split, *, k: int, seed: int, factors: int = 128) -> Standing:
    """Implicit feedback by alternating least squares, the library's defaults but for the size."""
    from implicit.cpu.als import AlternatingLeastSquares  # noqa: PLC0415

    with threadpool_limits(1, "blas"):
        model = AlternatingLeastSquares(factors=factors, num_threads=1, random_state=seed)
    return _factorised("implicit ALS", model, split, k)


def implicit_bpr(split: Split, *, k: int, seed: int, factors: int = 128) -> Standing:
    """Bayesian personalised ranking, the library's defaults but for the size."""
    from implicit.cpu.bpr import BayesianPersonalizedRanking  # noqa: PLC0415

    with threadpool_limits(1, "blas"):
        model = BayesianPersonalizedRanking(factors=factors, num_threads=1, random_state=seed)
    return _factorised("implicit BPR", model, split, k)


def _factorised(name: str, model: object, split: Split, k: int) -> Standing:
    choices = sparse.csr_matrix(choices_of(split.train.histories, split.train.items))
    started = time.process_time()
    with threadpool_limits(1, "blas"):
        model.fit(choices, show_progress=False)  # type: ignore[attr-defined]
    seconds = time.process_time() - started
    people = np.asarray(model.user_factors, np.float32)  # type: ignore[attr-defined]
    things = np.asarray(model.item_factors, np.float32)  # type: ignore[attr-defined]
    tally = Tally(split.train.items, k)
    for rows, part in split.histories.known(split.train.items).split(rows_at_once(split.train.items)):
        scores: Floats = people[split.user[rows]] @ things.T
        tally.add(scores, part, split.target[rows])
    return _standing(name, int(model.iterations), seconds, tally.all_ranks(), k)  # type: ignore[attr-defined]


def rectools_sasrec(split: Split, *, k: int, seed: int, most_seconds: float) -> Iterator[Standing]:
    """After every epoch until `most_seconds` of the processor are spent: SASRec with sampled softmax, 64 factors, 1 block.

    Raises CannotFit where rectools is not installed."""
    try:
        import pandas as pd  # noqa: PLC0415
        from rectools import Columns  # noqa: PLC0415
        from rectools.dataset import Dataset as Table  # noqa: PLC0415
        from rectools.models import SASRecModel  # noqa: PLC0415
    except ImportError as missing:
        raise CannotFit("rectools is not installed: make env-peers.") from missing
    import torch  # noqa: PLC0415

    torch.manual_seed(seed)
    table = Table.construct(
        pd.DataFrame(
            {
                Columns.User: np.repeat(np.arange(split.train.users), np.diff(split.train.indptr)),
                Columns.Item: split.train.item.astype(np.int64),
                Columns.Weight: 1.0,
                # The order of a history is all that counts; one event a minute keeps it.
                Columns.Datetime: pd.to_datetime(np.arange(split.train.events) * 60, unit="s"),
            }
        )
    )
    model = SASRecModel(
        n_factors=64, n_blocks=1, n_heads=1, dropout_rate=0.4, session_max_len=50, loss="sampled_softmax",
        n_negatives=256, lr=1e-3, batch_size=128, verbose=0,
    )  # fmt: skip
    seconds, epochs = 0.0, 0
    while seconds < most_seconds:
        started = time.process_time()
        model.fit_partial(table, min_epochs=1, max_epochs=1)
        seconds += time.process_time() - started
        epochs += 1
        shown = model.recommend(users=split.user, dataset=table, k=k, filter_viewed=True)
        yield _standing("rectools SASRec", epochs, seconds, _ranks(shown, split, k), k)


def _ranks(shown: object, split: Split, k: int) -> Longs:
    """The place of each case's target in its list, k where it is not in it."""
    from rectools import Columns  # noqa: PLC0415

    case = np.full(int(split.user.max(initial=0)) + 1, -1, np.int64)
    case[split.user] = np.arange(len(split))
    owner = case[shown[Columns.User].to_numpy()]  # type: ignore[index]
    item: Ints = shown[Columns.Item].to_numpy()  # type: ignore[index]
    place: Longs = shown[Columns.Rank].to_numpy() - 1  # type: ignore[index]
    found = item == split.target[owner]
    ranks = np.full(len(split), k, np.int64)
    ranks[owner[found]] = place[found]
    return ranks


def _standing(model: str, epochs: int, seconds: float, ranks: Longs, k: int) -> Standing:
    return Standing(model, epochs, seconds, float(gains(ranks, k).mean()), float(hits(ranks, k).mean()))
