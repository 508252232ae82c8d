"""Defects of cleaning and of features."""

from __future__ import annotations

from tests.defects.seeds import Seed

CLEANING, FACTS = "tests/recommender/dataset/test_cleaning.py", "tests/training/test_attribute_features.py"
ENCODERS, SELECTION = (
    "tests/recommender/features/test_feature_encoders.py",
    "tests/recommender/features/test_selection.py",
)

FEATURE_SEEDS = (
    Seed(
        "cleaning empties a small data set",
        "recommender/dataset/cleaning.py",
        "if not len(remaining) and not may_remove_all:",
        "if len(remaining) and may_remove_all:",
        CLEANING,
    ),
    Seed(
        "a clock of days is taken for a burst",
        "recommender/dataset/cleaning_rules.py",
        "precise = np.flatnonzero(events.timestamp % MINUTE_MS != 0)",
        "precise = np.arange(len(events))",
        CLEANING,
    ),
    Seed(
        "cleaning knows no crowd",
        "recommender/dataset/cleaning_rules.py",
        "if count_nonzero(np.bincount(events.user)) < config.bot_min_users:",
        "if not len(events):",
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
        "recommender/dataset/cleaning_rules.py",
        "np.maximum.reduceat(events.weight[order], starts)",
        "events.weight[order[starts]]",
        CLEANING,
    ),
    Seed(
        "cleaning is not counted",
        "recommender/tenant_data/interaction_builder.py",
        "for name, count in cleaning.count_removed_events().items():",
        "for name, count in {}.items():",
        "tests/training/test_interactions.py",
    ),
    Seed(
        "evaluation cleans unasked",
        "recommender/benchmarks/commands/evaluate.py",
        "    if options.clean:\n",
        "    if True:\n",
        "tests/recommender/benchmarks/test_evaluate.py::test_data_is_cleaned_only_on_request",
    ),
    Seed(
        "features learn from rows outside of training",
        "recommender/features/encoders.py",
        "[None if column is None else column[row] for row in training_rows]",
        "[None] if column is None else list(column)",
        ENCODERS,
    ),
    Seed(
        "features hold what is not finite",
        "recommender/features/column_encoders.py",
        "np.where(np.abs(numbers) <= MAX_ABSOLUTE_NUMBER, numbers, np.nan)",
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
        "recommender/features/denied_attributes.py",
        "                if words in synonyms:\n",
        "                if words in synonyms and not synonyms:\n",
        "tests/recommender/features/test_specification.py",
    ),
    Seed(
        "a denied feature passes a specification",
        "recommender/features/specification.py",
        "if feature.allowed and denied_match:",
        "if not feature.allowed and denied_match:",
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
        "recommender/tenant_data/attribute_features.py",
        "if len(parts) == 1 or self._is_allowed(parts[0]):",
        "if parts:",
        FACTS,
    ),
    Seed(
        "features of who refused are learned",
        "recommender/tenant_data/attribute_features.py",
        "if allows_profiling(page.state.privacy, parse_consent(profile)):",
        "if profile.id:",
        FACTS,
    ),
)
