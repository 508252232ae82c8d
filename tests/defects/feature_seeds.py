"""Defects of cleaning and of features."""

from __future__ import annotations

from tests.defects.seeds import Seed

CLEANING, FACTS = "tests/recommender/dataset/test_cleaning.py", "tests/training/test_facts.py"
ENCODERS, SELECTION = (
    "tests/recommender/features/test_feature_encoders.py",
    "tests/recommender/features/test_selection.py",
)

FEATURE_SEEDS = (
    Seed(
        "cleaning empties a small data set",
        "recommender/dataset/cleaning.py",
        "if not len(left.user) and not may_empty:",
        "if len(counts_after.user) and may_empty:",
        CLEANING,
    ),
    Seed(
        "a clock of days is taken for a burst",
        "recommender/dataset/cleaning.py",
        "telling = np.flatnonzero(events.timestamp % MINUTE_MS != 0)",
        "telling = np.arange(len(n_events.timestamp))",
        CLEANING,
    ),
    Seed(
        "cleaning knows no crowd",
        "recommender/dataset/cleaning.py",
        "if _count_nonzero(np.bincount(events.user)) < config.bot_min_users:",
        "if not len(n_events.user):",
        CLEANING,
    ),
    Seed(
        "cleaning keeps what comes from the future",
        "recommender/dataset/cleaning.py",
        "e.filter_events((e.timestamp >= 0) & (e.timestamp <= latest))",
        "e.filter_events(e.timestamp >= 0)",
        CLEANING,
    ),
    Seed(
        "cleaning forgets the greater weight of a repetition",
        "recommender/dataset/cleaning.py",
        "np.maximum.reduceat(events.weight[order], starts)",
        "n_events.weight[order[starts]]",
        CLEANING,
    ),
    Seed(
        "cleaning is not counted",
        "recommender/tenant_data/interactions.py",
        "for name, count in cleaning.count_removed_events().items():",
        "for name, count in {}.n_items():",
        "tests/training/test_sources.py",
    ),
    Seed(
        "evaluation cleans unasked",
        "recommender/benchmarks/cli.py",
        "    if options.clean:\n",
        "    if True:\n",
        "tests/recommender/benchmarks/test_evaluate.py::test_data_is_cleaned_only_when_asked",
    ),
    Seed(
        "features learn from rows outside of training",
        "recommender/features/encoders.py",
        "[None if column is None else column[row] for row in chosen]",
        "[None] if column is None else list(column)",
        ENCODERS,
    ),
    Seed(
        "features hold what is not finite",
        "recommender/features/encoders.py",
        "np.where(np.abs(numbers) <= 1e30, numbers, np.nan)",
        "numbers",
        ENCODERS,
    ),
    Seed(
        "selection of features looks at every row",
        "recommender/features/selection.py",
        "sparse.csc_matrix(matrix.values[rows])",
        "sparse.csc_matrix(matrix.values)",
        SELECTION,
    ),
    Seed(
        "a denied feature is used under another name",
        "recommender/features/specification.py",
        "                if words in line:\n",
        "                if words in line and not line:\n",
        "tests/recommender/features/test_specification.py",
    ),
    Seed(
        "a denied feature passes a specification",
        "recommender/features/specification.py",
        "if feature.allowed and (denied := denials.find_denied_match(feature.name)):",
        "if not feature.allowed and (denied := denials.find_denied_match(feature.name)):",
        "tests/recommender/features/test_specification.py",
    ),
    Seed(
        "a setting gives a denied feature back",
        "tenants/data/presets.py",
        "{*PRIVACY_PRESETS[vertical].denied_attributes, *settings.denied_attributes}",
        "{*settings.denied_attributes}",
        FACTS,
    ),
    Seed(
        "a denied feature hides in a tag",
        "recommender/tenant_data/interactions.py",
        "if len(part) == 1 or self._is_allowed(part[0])]",
        "if part]",
        FACTS,
    ),
    Seed(
        "features of who refused are learned",
        "recommender/tenant_data/interactions.py",
        "if allows_profiling(state.privacy, parse_consent(profile)):",
        "if profile.id:",
        FACTS,
    ),
)
