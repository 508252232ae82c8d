"""What was decided about a model, in plain words of either language. Rows keep the code and the figures."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from django.utils import translation
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop

from recommender.evaluation.decisions.promotion_gate import DecisionReason

LANGUAGES = ("en", "zh-hans")
SENTENCES = {
    "few_cases": gettext_noop("Only %(cases)s profiles can be asked about; %(needed)s are needed to judge."),
    "not_better": gettext_noop("Not better than popularity beyond chance: nDCG@%(k)s %(ours)s against %(theirs)s."),
    "gain_too_small": gettext_noop(
        "Better than popularity by %(gain)s only; at least %(needed)s is asked for: "
        "nDCG@%(k)s %(ours)s against %(theirs)s."
    ),
    "worse_than_live": gettext_noop(
        "Worse than the model in service beyond chance: nDCG@%(k)s %(ours)s against %(theirs)s."
    ),
    "below_live": gettext_noop(
        "More than %(allowed)s below the model in service: nDCG@%(k)s %(ours)s against %(theirs)s."
    ),
    "slice_worse": gettext_noop(
        "Worse than %(than)s beyond chance for %(slice)s (%(cases)s profiles): "
        "nDCG@%(k)s %(ours)s against %(theirs)s."
    ),
    "popularity_instead": gettext_noop("Popularity serves instead."),
    "overtaken": gettext_noop("Another version was promoted while this one trained."),
    "rolled_back": gettext_noop("Taken back on request."),
    "clicks_dropped": gettext_noop(
        "Taken back by itself: %(now)s of its %(answers)s answers were clicked, against %(before)s with %(version)s "
        "in the same places; that is more than chance."
    ),
    "conversions_dropped": gettext_noop(
        "Taken back by itself: %(now)s of its %(answers)s answers led to a purchase or the like, against %(before)s "
        "with %(version)s in the same places; that is more than chance."
    ),
    "dismissals_rose": gettext_noop(
        "Taken back by itself: %(now)s of its %(answers)s answers were dismissed, against %(before)s with %(version)s "
        "in the same places; that is more than chance."
    ),
}  # fmt: skip
_SLICE_NAMES = {
    "popularity": gettext_noop("popularity"),
    "live": gettext_noop("the model in service"),
    "new_profiles": gettext_noop("new profiles"),
    "new_items": gettext_noop("new items"),
    "tail_items": gettext_noop("rarely chosen items"),
    "language": gettext_noop("language"),
    "country": gettext_noop("country"),
    "region": gettext_noop("region"),
    "item_language": gettext_noop("items in"),
}
_SIGNAL_NAMES = {
    "clicks": gettext_noop("Clicked"),
    "conversions": gettext_noop("Led to a purchase or the like"),
    "dismissals": gettext_noop("Dismissed"),
    "event_kinds": gettext_noop("Mix of event kinds"),
    "categories": gettext_noop("Categories chosen"),
    "hours": gettext_noop("Hours of the day"),
    "activity": gettext_noop("Events of a profile in a day"),
    "scores": gettext_noop("Scores of the model"),
    "coverage": gettext_noop("Items shown"),
    "steady": gettext_noop("Steady"),
    "moved": gettext_noop("Worth a look"),
    "drifted": gettext_noop("Drifted"),
    "unknown": gettext_noop("Too little data"),
}
_FRACTIONS = {"gain", "needed", "allowed"}
_RATES = {"now", "before"}


def parse_reasons(rows: Iterable[Mapping[str, Any]]) -> tuple[DecisionReason, ...]:
    return tuple(DecisionReason(str(row["code"]), dict(row.get("parameters", {}))) for row in rows)


def translate_reasons(reasons: Sequence[DecisionReason]) -> str:
    """All of them in the language of the reader; a code that this version does not know stands as it is."""
    return " ".join(_translate_reason(reason) for reason in reasons)


def translate_reasons_into(language: str, reasons: Sequence[DecisionReason]) -> str:
    with translation.override(language):
        return translate_reasons(reasons)


def translate_reasons_to_english(reasons: Sequence[DecisionReason]) -> str:
    return translate_reasons_into("en", reasons)


def translate_slice_name(name: str) -> str:
    """A slice's name for people: "new profiles", "language zh"."""
    kind, _equals, value = name.partition("=")
    said = _(_SLICE_NAMES[kind]) if kind in _SLICE_NAMES else kind
    return f"{said} {value}" if value else said


def translate_signal_name(name: str) -> str:
    """A signal of the watch, a measure of drift or its level, for people."""
    return _(_SIGNAL_NAMES[name]) if name in _SIGNAL_NAMES else name


def _translate_reason(reason: DecisionReason) -> str:
    if reason.code not in SENTENCES:
        return reason.code
    blanks = {name: _format_parameter(reason.code, name, value) for name, value in reason.parameters.items()}
    try:
        return _(SENTENCES[reason.code]) % blanks
    except KeyError:
        return reason.code


def _format_parameter(code: str, name: str, value: object) -> str:
    if name in ("than", "slice"):
        return translate_slice_name(str(value))
    if not isinstance(value, float):
        return str(value)
    if name in _FRACTIONS and code != "few_cases":
        return f"{value:.1%}"
    return f"{value:.2%}" if name in _RATES else f"{value:.4f}"
