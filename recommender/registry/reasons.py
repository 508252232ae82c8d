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
    "few_cases": gettext_noop(
        "Only %(cases)s users have test events; %(min_cases)s are needed for a decision."
    ),
    "not_better": gettext_noop(
        "Not significantly better than popularity: nDCG@%(k)s %(candidate)s against %(baseline)s."
    ),
    "gain_too_small": gettext_noop(
        "Better than popularity by only %(gain)s; at least %(min_gain)s is required: "
        "nDCG@%(k)s %(candidate)s against %(baseline)s."
    ),
    "worse_than_live": gettext_noop(
        "Significantly worse than the active model: nDCG@%(k)s %(candidate)s against %(baseline)s."
    ),
    "below_live": gettext_noop(
        "More than %(max_loss)s below the active model: nDCG@%(k)s %(candidate)s against %(baseline)s."
    ),
    "slice_worse": gettext_noop(
        "Significantly worse than %(baseline_name)s for %(slice)s (%(cases)s users): "
        "nDCG@%(k)s %(candidate)s against %(baseline)s."
    ),
    "popularity_instead": gettext_noop("Popularity serves instead."),
    "overtaken": gettext_noop("Another version was promoted while this one trained."),
    "rolled_back": gettext_noop("Rolled back on request."),
    "clicks_dropped": gettext_noop(
        "Rolled back automatically: %(current)s of its %(recommendations)s recommendations were clicked, against "
        "%(previous)s with %(version)s in the same scenarios; the difference is significant."
    ),
    "conversions_dropped": gettext_noop(
        "Rolled back automatically: %(current)s of its %(recommendations)s recommendations led to a conversion, against "
        "%(previous)s with %(version)s in the same scenarios; the difference is significant."
    ),
    "dismissals_rose": gettext_noop(
        "Rolled back automatically: %(current)s of its %(recommendations)s recommendations were dismissed, against "
        "%(previous)s with %(version)s in the same scenarios; the difference is significant."
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
_FRACTIONS = {"gain", "min_gain", "max_loss"}
_RATES = {"current", "previous"}


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
    blanks = {name: _format_parameter(name, value) for name, value in reason.parameters.items()}
    try:
        return _(SENTENCES[reason.code]) % blanks
    except KeyError:
        return reason.code


def _format_parameter(name: str, value: object) -> str:
    if name in ("baseline_name", "slice"):
        return translate_slice_name(str(value))
    if not isinstance(value, float):
        return str(value)
    if name in _FRACTIONS:
        return f"{value:.1%}"
    return f"{value:.2%}" if name in _RATES else f"{value:.4f}"
