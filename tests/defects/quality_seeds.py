"""Defects of the gate, of the watch over models in service, and of drift."""

from __future__ import annotations

from tests.defects.seeds import Seed

_RULE, _LIVE, _DRIFT = (
    f"recommender/evaluation/decisions/{name}.py" for name in ("promotion_gate", "online_monitoring", "drift")
)
_GATE, _FEEDBACK = "recommender/training/gate.py", "recommender/monitoring/outcomes.py"
_ON_RULE, _ON_GATE = "tests/recommender/evaluation/test_promotion_gate.py", "tests/training/test_gate.py"
_ON_LIVE, _ON_DRIFT = (
    "tests/recommender/evaluation/test_online_monitoring.py",
    "tests/recommender/evaluation/test_drift.py",
)
_ON_ROLL_BACK = "tests/training/test_auto_rollback.py"

QUALITY_SEEDS = (
    Seed(
        "a gain by chance is promoted",
        _RULE,
        "return self.low > 0",
        "return self.candidate > self.baseline",
        _ON_RULE,
    ),
    Seed(
        "a tiny gain is promoted",
        _RULE,
        "gain < config.min_gain:",
        "gain < 0:",
        _ON_RULE,
    ),
    Seed(
        "a slice may lose",
        _RULE,
        "            if slice_comparison.is_worse:\n",
        "            if slice_comparison.is_worse and slice_comparison.is_better:\n",
        _ON_RULE,
    ),
    Seed(
        "worse than live is promoted",
        _RULE,
        "    if comparison.is_worse:",
        "    if comparison.is_worse and comparison.is_better:",
        _ON_RULE,
    ),
    Seed(
        "the gate is content with 95%",
        _RULE,
        "[1 - config.confidence, config.confidence]",
        "[0.05, 0.95]",
        _ON_RULE,
    ),
    Seed(
        "a live model is compared on what it has learned",
        _GATE,
        "        if live_is_fair:\n",
        "        if live is not None:\n",
        _ON_GATE,
    ),
    Seed(
        "the split forgets where the live model's knowledge ended",
        _GATE,
        "(_find_live_cut(dataset, live_trained_until), MIN_FAIR_CASES),",
        "(None, MIN_FAIR_CASES),",
        _ON_GATE,
    ),
    Seed(
        "every look may err like the first",
        _LIVE,
        "config.false_alarm_rate * 6 / (pi * number) ** 2 / len(SIGNALS)",
        "0.05",
        _ON_LIVE,
    ),
    Seed(
        "one keen person counts as a crowd",
        _LIVE,
        "np.unique(recommendations.profile, return_inverse=True)",
        "np.unique(np.arange(len(recommendations)), return_inverse=True)",
        _ON_LIVE,
    ),
    Seed(
        "another mix of places is taken for a drop",
        _LIVE,
        "previous_rate = estimate_rate(previous, signal, scenarios, weights)",
        "own_weights = np.bincount(np.searchsorted(scenarios, previous.scenario), minlength=scenarios.size) / len(previous)\n"
        "        previous_rate = estimate_rate(previous, signal, scenarios, own_weights)",
        _ON_LIVE,
    ),
    Seed(
        "a person's promotion is undone",
        "recommender/monitoring/auto_rollback.py",
        '    if active.live.get("rolled_back"):\n        return None\n',
        "",
        _ON_ROLL_BACK,
    ),
    Seed(
        "answers are judged before anybody could click",
        _FEEDBACK,
        "self.served_at + _to_milliseconds(attribution_window) <= cutoff_ms",
        "self.served_at <= cutoff_ms",
        _ON_ROLL_BACK,
    ),
    Seed(
        "a feed that stopped is taken for a drop",
        _FEEDBACK,
        "cutoff_ms = min(newest_event_ms, _to_epoch_ms(now))",
        "cutoff_ms = _to_epoch_ms(now)",
        _ON_ROLL_BACK,
    ),
    Seed(
        "what was tried in the portal counts",
        _FEEDBACK,
        'PORTAL_SCENARIO_PREFIX = "portal."',
        'PORTAL_SCENARIO_PREFIX = "Portal."',
        _ON_ROLL_BACK,
    ),
    Seed(
        "a roll-back leaves no line of its own",
        "recommender/registry/actions.py",
        '"model.rolled_back"',
        '"model.promoted"',
        _ON_ROLL_BACK,
    ),
    Seed("chance is an alarm", _DRIFT, "value if value > chance_level else 0.0", "value", _ON_DRIFT),
    Seed("three profiles are an alarm", _DRIFT, "if min(profiles) < config.min_profiles or", "if", _ON_DRIFT),
    Seed(
        "a denied place makes a group",
        "recommender/tenant_data/user_segments.py",
        "for name in SEGMENT_ATTRIBUTES if not denials.find_denied_match(name)",
        "for name in SEGMENT_ATTRIBUTES",
        "tests/training/test_interactions.py",
    ),
    Seed(
        "a tenant's word stands in the measures",
        "recommender/tenant_data/user_segments.py",
        "value if _LOCALE_CODE.fullmatch(value) else",
        "value if value else",
        "tests/training/test_interactions.py",
    ),
    Seed(
        "metrics are open where no token is set",
        "lepton_platform/middleware.py",
        "return bool(token) and secrets",
        "return secrets",
        "tests/platform/test_metrics.py",
    ),
    Seed(
        "an item that cannot be read back is stored",
        "tenants/data/actions/catalog.py",
        "problem = _check_item(item)",
        'problem = ""',
        "tests/training/test_bad_input.py",
    ),
    Seed(
        "a command on files starts a database",
        "lepton_platform/cli.py",
        '"spectacular",\n    "help",',
        '"help",',
        "tests/platform/test_cli.py",
    ),
)
