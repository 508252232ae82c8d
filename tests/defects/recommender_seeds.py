"""Defects of training and serving."""

from __future__ import annotations

from tests.defects.seeds import Seed

RECOMMENDER_SEEDS = (
    Seed(
        "a model no better than popularity is promoted",
        "recommender/training/gate.py",
        "return Verdict(judgement.reasons, {**metrics",
        "return Verdict((), {**metrics",
        "tests/training/test_training.py",
    ),
    Seed(
        "a worker goes on without its lease",
        "recommender/training/progress.py",
        "if self._lost:",
        "if self._lost and self._cancelled:",
        "tests/training/test_training.py",
    ),
    Seed(
        "cancelling is ignored",
        "recommender/training/progress.py",
        "if self._cancelled:",
        "if self._cancelled and self._lost:",
        "tests/training/test_training.py",
    ),
    Seed(
        "a repeated message publishes again",
        "recommender/registry/actions.py",
        "    if earlier is not None:",
        "    if earlier is None:",
        "tests/training/test_registry.py",
    ),
    Seed(
        "the pointer moves without comparing",
        "recommender/registry/actions.py",
        "pointer = ActiveModel.objects.filter(tenant_id=s.tenant_id, version=expected)",
        "pointer = ActiveModel.objects.filter(tenant_id=s.tenant_id)",
        "tests/training/test_registry.py",
    ),
    Seed(
        "a damaged model is no reason to go back",
        "recommender/registry/artefacts.py",
        "except (NotFound, DecryptionFailed) as error:",
        "except NotFound as error:",
        "tests/serving/test_spaces.py",
    ),
    Seed(
        "a folder has its name before its files are durable",
        "recommender/registry/store.py",
        "            _sync_directory(part)\n            part.rename(target)\n",
        "            part.rename(target)\n            _sync_directory(target)\n",
        "tests/training/test_artefacts.py",
    ),
    Seed(
        "training forgets who refused",
        "recommender/sources.py",
        "if (key in asked) is opt_in:",
        "if key is not None:",
        "tests/training/test_sources.py",
    ),
    Seed(
        "serving forgets who refused",
        "recommender/serving/person.py",
        "    if refusal:\n",
        "    if refusal is None:\n",
        "tests/serving/test_stages.py",
    ),
    Seed(
        "the list is not checked against the rows",
        "recommender/serving/recommend.py",
        "if stored is not None and stored.live and may_show(stored.item, wanted):",
        "if stored is not None:",
        "tests/serving/test_live_check.py",
    ),
    Seed(
        "what was disliked is shown again",
        "recommender/serving/recommend.py",
        "np.concatenate([asks.met, asks.disliked, excluded])",
        "np.concatenate([asks.met, excluded])",
        "tests/serving/test_stages.py",
    ),
    Seed(
        "a bound is left out of its range",
        "recommender/serving/columns.py",
        '"gte": np.greater_equal',
        '"gte": np.greater',
        "tests/serving/test_filters.py",
    ),
    Seed(
        "serving loads torch",
        "recommender/serving/scoring.py",
        "import numpy as np\n",
        "import numpy as np\nimport torch\n",
        "tests/serving/test_no_torch.py",
    ),
    Seed(
        "a tenant in memory is never let go",
        "recommender/serving/spaces.py",
        "            if total <= self._limit:\n",
        "            if total >= 0:\n",
        "tests/serving/test_spaces.py",
    ),
)
