"""Learns the agreement of comments with descriptions. Loads scikit-learn: commands only."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from sklearn.linear_model import LogisticRegression

from recommender.language.agreement import AgreementHead, products
from recommender.language.encoders import Encoder
from recommender.language.texts import clean
from recommender.types import Bools

SCALE, STRENGTH = 10.0, 1.0  # products of unit vectors are small; a constant, folded into w


def fit(
    comments: Sequence[str], descriptions: Sequence[str], praise: Bools, encoder: Encoder
) -> AgreementHead:
    """praise[i] says whether comment i speaks well of description i; both kinds count alike."""
    columns = SCALE * products(
        [clean(one) for one in comments], [clean(one) for one in descriptions], encoder
    )
    learned = LogisticRegression(C=STRENGTH, class_weight="balanced", max_iter=300).fit(columns, praise)
    weight = SCALE * learned.coef_[0]
    return AgreementHead(encoder.name, weight.astype(np.float32), float(learned.intercept_[0]))


def balanced_accuracy(
    head: AgreementHead, comments: Sequence[str], descriptions: Sequence[str], praise: Bools, encoder: Encoder
) -> float:
    """The mean of the accuracies on praise and on blame: a half for a head that knows nothing."""
    columns = products([clean(one) for one in comments], [clean(one) for one in descriptions], encoder)
    said = head.score(columns) > 0
    return float((said[praise].mean() + (~said[~praise]).mean()) / 2)
